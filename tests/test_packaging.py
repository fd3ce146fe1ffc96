"""What is built: the wheel carries the contract below `app`, and works away from the checkout."""

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with wheel and sdist, built without a network."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(folder)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The wheel unpacked, as an installer does."""
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def away_from_the_checkout(installed, tmp_path, *arguments):
    # -P and a folder of its own: nothing of the checkout may be found by chance. An editable install comes
    # later on the path than PYTHONPATH.
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(installed), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_contract_lies_below_app_and_nowhere_else(installed):
    top = {path.name for path in installed.iterdir()}
    assert top == {"app", next(name for name in top if name.endswith(".dist-info"))}
    for name in ("avro", "topics"):
        inside, outside = installed / "app/_contract" / name, CHECKOUT / name
        assert {p.relative_to(inside) for p in inside.rglob("*")} == {
            p.relative_to(outside) for p in outside.rglob("*")
        }
    assert (installed / "app/py.typed").exists()
    assert list((installed / "app/embedded/samples").glob("*.json"))


def test_an_installed_package_reads_its_own_contract(installed, tmp_path):
    code = (
        "import app\n"
        "from app.schemas.contract import contract_root, load_contract\n"
        "from app.settings import load_settings\n"
        "from app.topics import load_catalogue\n"
        "print(app.__file__, contract_root(), len(load_contract().events))\n"
        "load_catalogue(load_settings())\n"
    )
    done = away_from_the_checkout(installed, tmp_path, "-c", code)
    assert done.stderr == ""
    where, root, events = done.stdout.split()
    assert Path(where).is_relative_to(installed)
    assert Path(root).is_relative_to(installed)
    assert events == "12"


def test_an_installed_package_has_its_pages(installed, tmp_path):
    code = (
        "from app.web.pages.assets import Assets\n"
        "from app.web.pages.rendering import templates\n"
        "found = templates()\n"
        "for name in found.list_templates():\n"
        "    print(found.get_template(name).filename)\n"
        "Assets().url('style.css')\n"
    )
    done = away_from_the_checkout(installed, tmp_path, "-c", code)
    assert done.stderr == ""
    loaded = [Path(line) for line in done.stdout.split("\n") if line]
    pages = CHECKOUT / "app/web/pages"
    assert {path.name for path in loaded} == {path.name for path in (pages / "templates").iterdir()}
    assert all(path.is_relative_to(installed) for path in loaded)


def test_the_command_works_when_installed(installed, tmp_path):
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert "mastery = app.cli:main" in entry_points.read_text()
    done = away_from_the_checkout(installed, tmp_path, "-m", "app.cli", "schemas", "check", "--offline")
    assert done.returncode == 0, done.stderr


def test_lies_beside_the_package_avro(installed, tmp_path):
    """The folder `avro` of a checkout has the name of a package that many have installed."""
    both = tmp_path / "site-packages"
    shutil.copytree(installed, both)
    theirs = distribution("avro").files
    for file in theirs:
        target = both / file
        if file.parts[0] != ".." and "__pycache__" not in file.parts:
            assert not target.exists(), file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), target)
    code = (
        "import avro.schema\n"
        "from app.schemas.contract import load_contract\n"
        "assert load_contract().events\n"
        "print(avro.schema.__file__, avro.schema.parse('\"string\"').type)"
    )
    done = away_from_the_checkout(both, tmp_path, "-c", code)
    assert done.stderr == ""
    where, kind = done.stdout.split()
    assert Path(where).is_relative_to(both)
    assert kind == "string"


def test_metadata(installed):
    (file,) = installed.glob("*.dist-info/METADATA")
    metadata = email.message_from_string(file.read_text())
    assert metadata["Name"] == "mastery-stream"
    assert metadata["Requires-Python"] == "<3.15,>=3.11"
    assert "Requires-Dist" in metadata


def test_sdist_has_what_building_and_testing_needs(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    wanted = {name for name in tracked.stdout.splitlines() if (CHECKOUT / name).exists()}
    assert wanted <= names


def test_the_lock_fits_what_pyproject_asks_for():
    import tomllib

    lock = (CHECKOUT / "requirements.lock").read_text()
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", lock, re.MULTILINE))
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    asked = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["demo"]
    for group in project["dependency-groups"].values():
        asked += [entry for entry in group if isinstance(entry, str)]
    for requirement in map(Requirement, asked):
        name = requirement.name.lower().replace("_", "-")
        if name != "mastery-stream":
            assert requirement.specifier.contains(pins[name]), requirement
    # Neither addresses nor hashes: whoever installs has a package index of their own.
    assert not re.search(r"://|--hash|--index| @ ", lock)
