import pytest

from bench.model import Coefficients, School, cost

MEASURED = Coefficients(
    results_per_second=10_000,
    disk_per_row=1_000,
    base_mb=100,
    mb_per_partition=2,
    restore_rows_per_second=50_000,
    look_cpu_per_row=60e-6,
)
SCHOOL = School(rows_each=40, results_each_day=2.88, peak=10, headroom=0.5)


def test_the_arithmetic_of_a_million_students():
    found = cost(1_000_000, MEASURED, SCHOOL)
    assert found.results_a_second == pytest.approx(1_000)
    assert (found.workers, found.partitions, found.rows) == (1, 12, 40_000_000)
    assert found.disk_gb == pytest.approx(40)
    assert found.memory_gb == pytest.approx(0.124)
    assert found.restore_minutes == pytest.approx(40e6 / 50e3 / 60)
    assert found.agree_minutes == pytest.approx(40)


def test_more_students_than_a_worker_can_serve_take_more_workers_and_share_the_restore():
    found = cost(12_000_000, MEASURED, SCHOOL)
    assert (found.workers, found.partitions) == (3, 16)
    assert found.restore_minutes == pytest.approx(12 * 40e6 / 50e3 / 60 / 3)


def test_coefficients_come_from_the_result_files():
    def scaling(kind, number, rss, disk=0.0, cpu=0.0):
        return {
            "kind": kind,
            "number": number,
            "rss_at_rest_mb": rss,
            "disk_mb": disk,
            "ready_cpu": cpu,
            "void": None,
        }

    run = {"workload": "mastery", "round": 1, "contender": "mastery", "void": None}
    results = {
        "mastery": {"runs": [run | {"figures": {"events_per_second": 9_000.0}}]},
        "restore": {"runs": [{"rows_per_second": 70_000, "void": None}]},
        "scaling": {
            "runs": [
                scaling("rows", 0, 1, 5.0, 2.0),
                scaling("rows", 1_000_000, 1, 1_205.0, 42.0),
                scaling("partitions", 1, 101.0),
                scaling("partitions", 64, 227.0),
            ]
        },
    }
    found = Coefficients.of(results)
    assert found == Coefficients(9_000, 1_200, 99, 2, 70_000, pytest.approx(40e-6))
