import pytest

from tests.web.local.support import Worker


@pytest.fixture(scope="module")
def worker_of_module(tmp_path_factory):
    worker = Worker(tmp_path_factory.mktemp("worker"))
    yield worker
    worker.close()


@pytest.fixture
def worker(worker_of_module):
    worker_of_module.reset()
    return worker_of_module
