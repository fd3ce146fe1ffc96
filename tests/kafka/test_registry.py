import json
import urllib.request

import pytest

from tests.kafka.registry import SchemaRegistry

pytestmark = pytest.mark.registry


def test_it_registers_and_is_reachable_again_after_a_stop(registry: SchemaRegistry) -> None:
    request = urllib.request.Request(
        f"{registry.url}/subjects/harness-value/versions",
        data=json.dumps({"schema": '"string"'}).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=10.0) as answer:
        assert json.load(answer)["id"] > 0
    url = registry.url
    registry.stop()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{url}/subjects", timeout=2.0)
    registry.start()
    with urllib.request.urlopen(f"{url}/subjects", timeout=10.0) as answer:
        assert json.load(answer) == []
