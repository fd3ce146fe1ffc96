"""The lock can be installed without a compiler: each pinned version has wheels for the machines named here.

Judged from the file names that the package index lists, as an installer does.
"""

import os
import re
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.tags import compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

from tests.support.package_index import IndexUnreachable, wheels

LOCK = Path(__file__).parents[1] / "requirements.lock"
PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
# What has to be built there, for want of a wheel.
SOURCE_ONLY = {"Linux arm64": {"faust-streaming"}}


def linux(machine):
    """Platform tags from glibc 2.28 (Debian 10, RHEL 8) down."""
    names = [f"manylinux_2_{minor}_{machine}" for minor in range(28, 4, -1)]
    return [*names, *(f"manylinux{old}_{machine}" for old in ("2014", "2010", "1")), f"linux_{machine}"]


MACHINES = {
    "Linux x86_64": linux("x86_64"),
    "Linux arm64": linux("aarch64"),
    "macOS x86_64": list(mac_platforms((13, 0), "x86_64")),
    "macOS arm64": list(mac_platforms((13, 0), "arm64")),
}


@pytest.fixture(scope="module")
def locked():
    """The wheels of each pinned version."""
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", LOCK.read_text(), re.MULTILINE))
    try:
        return wheels(pins)
    except IndexUnreachable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the package index does not answer: {error}")


def without_wheel(locked, python, platforms):
    """Names of the packages that this Python would have to build on these platforms."""
    interpreter = f"cp{python[0]}{python[1]}"
    usable = {*cpython_tags(python, platforms=platforms), *compatible_tags(python, interpreter, platforms)}

    def fits(wheel):
        asked = SpecifierSet(wheel.requires_python)
        tags = parse_wheel_filename(wheel.filename)[3]
        return not usable.isdisjoint(tags) and asked.contains(f"{python[0]}.{python[1]}.0")

    return {name for name, listed in locked.items() if not any(map(fits, listed))}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_package_has_a_wheel(locked, machine):
    missing = defaultdict(set)
    for python in PYTHONS:
        for name in without_wheel(locked, python, MACHINES[machine]) - SOURCE_ONLY.get(machine, set()):
            missing[name].add(".".join(map(str, python)))
    assert not missing


def test_what_is_said_to_lack_a_wheel_lacks_it(locked):
    for machine, names in SOURCE_ONLY.items():
        for python in PYTHONS:
            assert names <= without_wheel(locked, python, MACHINES[machine])


def test_a_platform_that_nobody_builds_for_is_told_from_one_that_is(locked):
    nowhere = without_wheel(locked, (3, 11), ["plan9_mips"])
    assert {"confluent-kafka", "fastavro", "pydantic_core"} <= nowhere
    assert "click" not in nowhere
