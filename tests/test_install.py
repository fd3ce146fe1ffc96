"""`make install` on machines that have this or that: their programs are made up, the scripts are real."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
# All that the scripts need of a machine besides a Python.
TOOLS = ("cat", "cksum", "dirname", "head", "ls", "mkdir", "rm", "sh")

# `python -m venv` and what it makes: a Python whose pip notes what it is to install, and may fail.
VENV = """\
mkdir -p "{folder}/bin"
echo > "{folder}/pyvenv.cfg"
cat > "{folder}/bin/python" <<'END'
#!/bin/sh
case "$1 $2" in
"-m pip") echo "$*" >> pip.log; [ ! -e no-network ] ;;
--version*) echo "Python 3.12" ;;
esac
END
chmod +x "{folder}/bin/python"
"""

LACKS = "lacks its modules venv and ensurepip"
GONE = "removing .venv: its Python has gone, or it was never finished\n"


@dataclass
class Machine:
    """A folder that is all of the PATH, and a checkout with the scripts."""

    programs: Path
    checkout: Path

    def program(self, name: str, body: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def python(self, name: str, version: str, *, lacks: str | None = None) -> None:
        """A Python that says to be of this version, and lacks a module."""
        site = self.programs.parent / f"site-{name}"
        site.mkdir()
        site.joinpath("sitecustomize.py").write_text(
            f"import sys\nsys.version_info = {tuple(map(int, version.split('.')))}\n"
            f"sys.modules[{lacks!r}] = None\n"
        )
        self.program(
            name,
            f'case "$1" in\n--version) echo "Python {version}" ;;\n'
            f"-m) {VENV.format(folder='$3')} ;;\n"
            f'*) PYTHONPATH={site} exec {sys.executable} "$@" ;;\nesac',
        )

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.checkout / "scripts" / script), *arguments],
            cwd=self.checkout,
            env={"PATH": str(self.programs)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def make_venv(self, *arguments: str) -> str:
        """What `make-venv` says; an error is one line."""
        done = self.run("make-venv", ".venv", *arguments)
        if done.returncode == 0:
            assert done.stderr == ""
            return done.stdout
        assert not (self.checkout / ".venv").exists()
        assert done.stdout == ""
        assert re.fullmatch(r"error: .+\n", done.stderr)
        return done.stderr

    @property
    def installed(self) -> list[str]:
        """What pip was told since the last look."""
        log = self.checkout / "pip.log"
        calls = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return calls


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "bin", tmp_path / "check out")
    made.programs.mkdir()
    for tool in (*TOOLS, "chmod"):
        (made.programs / tool).symlink_to(shutil.which(tool))
    made.program("uname", "echo Linux")
    shutil.copytree(CHECKOUT / "scripts", made.checkout / "scripts")
    for name in ("requirements.lock", "pyproject.toml"):
        (made.checkout / name).write_text(name)
    return made


class TestWhichPython:
    def test_the_newest_that_works(self, machine):
        machine.python("python3.14", "3.14", lacks="ensurepip")
        machine.program("python3.13", "echo no such version >&2; exit 127")  # a version manager's
        machine.python("python3.12", "3.12")
        machine.python("python3.11", "3.11")
        assert machine.make_venv() == "making .venv with Python 3.12\n"

    def test_one_without_a_version_in_its_name(self, machine):
        machine.python("python3", "3.13")
        assert machine.make_venv() == "making .venv with Python 3.13\n"

    def test_uv_where_no_python_fits(self, machine):
        machine.python("python3", "3.9")
        makes = VENV.format(folder=".venv")
        machine.program(
            "uv", f'case "$1" in --version) echo uv 1.0 ;; *) echo "$@" > uv.log; {makes} ;; esac'
        )
        assert machine.make_venv() == "making .venv with uv 1.0\n"
        asked = (machine.checkout / "uv.log").read_text().split()
        assert asked[0] == "venv"
        assert {"--seed", ">=3.11,<3.15", ".venv"} <= set(asked)

    def test_the_given_one(self, machine):
        machine.python("python3.14", "3.14")
        machine.python("mine", "3.11")
        assert machine.make_venv("mine") == "making .venv with Python 3.11\n"

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("old", "old is Python 3.9; 3.11 to 3.14 is needed"),
            ("new", "new is Python 3.15; 3.11 to 3.14 is needed"),
            (
                "bare",
                "bare (Python 3.12) lacks its modules venv and ensurepip: sudo apt install python3.12-venv",
            ),
            ("broken", "broken does not run"),
            ("nowhere", "there is no program nowhere"),
        ],
    )
    def test_a_given_one_that_cannot_be_used(self, machine, name, says):
        machine.python("python3", "3.14")
        machine.python("old", "3.9")
        machine.python("new", "3.15")
        machine.python("bare", "3.12", lacks="ensurepip")
        machine.program("broken", "exit 1")
        machine.program("apt-get", "")
        machine.program("apt-cache", "")
        assert machine.make_venv(name) == f"error: {says}\n"


class TestNoPython:
    @pytest.mark.parametrize(
        ("manager", "advice"),
        [
            ("dnf", "sudo dnf install python3.12"),
            ("pacman", "sudo pacman -S python"),
            ("apk", "better use a system with glibc, such as Debian: .*musl"),
            ("other", "install one with your package manager, or uv: https://docs.astral.sh/uv/"),
        ],
    )
    def test_what_to_install(self, machine, manager, advice):
        machine.program(manager, "")
        assert re.fullmatch(f"error: no Python 3.11 to 3.14 found: {advice}\n", machine.make_venv())

    def test_debian_the_newest_that_it_has(self, machine):
        machine.python("python3", "3.10")
        machine.program("apt-get", "")
        machine.program("apt-cache", '[ "$2" = python3.11-venv ] || [ "$2" = python3.12-venv ]')
        assert machine.make_venv() == (
            "error: no Python 3.11 to 3.14 found (python3 is 3.10): sudo apt install python3.12-venv\n"
        )

    def test_debian_that_has_none_or_does_not_know(self, machine):
        machine.program("apt-get", "")
        machine.program("apt-cache", "exit 100")
        assert "sudo apt update && sudo apt install python3-venv, or" in machine.make_venv()

    @pytest.mark.parametrize(
        ("brew", "advice"),
        [(True, "brew install python@3.13"), (False, "install Python 3.13 from https://www.python.org/")],
    )
    def test_macos(self, machine, brew, advice):
        machine.program("uname", "echo Darwin")
        machine.python("python3", "3.9")
        if brew:
            machine.program("brew", "")
        assert f"(python3 is 3.9): {advice}" in machine.make_venv()

    @pytest.mark.parametrize(
        ("offered", "advice"),
        [
            ("*", "sudo apt install python3.12-venv"),
            ("python3.11-venv", "sudo apt install python3.11-venv"),  # the other Python is not Debian's
            ("nothing", "sudo apt update && sudo apt install python3.12-venv, or .*uv/"),
        ],
    )
    def test_debian_without_the_venv_module(self, machine, offered, advice):
        machine.python("python3", "3.12", lacks="ensurepip")
        machine.program("apt-get", "")
        machine.program("apt-cache", f'case "$2" in {offered}) ;; *) exit 100 ;; esac')
        assert re.fullmatch(f"error: Python 3.12 {LACKS}: {advice}\n", machine.make_venv())

    @pytest.mark.parametrize("system", ["MINGW64_NT-10.0-22631", "MSYS_NT-10.0", "CYGWIN_NT-10.0"])
    def test_windows_itself(self, machine, system):
        machine.program("uname", f"echo {system}")
        machine.python("python3", "3.13")
        assert "use WSL2" in machine.make_venv()


class TestInstall:
    LOCKED, PROJECT = "-r requirements.lock", "-e ."

    @pytest.fixture
    def machine(self, machine):
        machine.python("python3", "3.12")
        return machine

    @pytest.fixture
    def installed(self, machine):
        """A machine where `make install` was done."""
        done = machine.run("install")
        assert (done.returncode, done.stdout, done.stderr) == (0, "making .venv with Python 3.12\n", "")
        locked, project = machine.installed
        assert locked.endswith(self.LOCKED)
        assert project.endswith(self.PROJECT)
        return machine

    def again(self, machine) -> str:
        done = machine.run("install")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def test_twice_does_nothing(self, installed):
        assert self.again(installed) == ""
        assert installed.installed == []

    @pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
    def test_what_has_changed_is_installed(self, installed, name):
        (installed.checkout / name).write_text("changed")
        assert self.again(installed) == "bringing .venv up to date\n"
        assert len(installed.installed) == 2
        assert self.again(installed) == ""

    def test_a_python_that_has_gone(self, installed):
        python = installed.checkout / ".venv/bin/python"
        python.unlink()
        python.symlink_to("/nowhere/python3.10")
        said = self.again(installed)
        assert said.startswith(
            "removing .venv: its Python has gone, or it was never finished\nmaking .venv with"
        )
        assert len(installed.installed) == 2
        assert self.again(installed) == ""

    def test_another_python_is_not_passed_over_in_silence(self, installed):
        installed.python("mine", "3.11")
        done = installed.run("install", "mine")
        assert done.returncode == 1
        assert (
            done.stderr == "error: .venv has Python 3.12; for another Python remove it first: rm -r .venv\n"
        )
        installed.python("same", "3.12")
        assert installed.run("install", "same").returncode == 0

    def test_half_made(self, machine):
        (machine.checkout / ".venv/bin").mkdir(parents=True)
        (machine.checkout / ".venv/pyvenv.cfg").touch()
        assert self.again(machine).startswith(
            "removing .venv: its Python has gone, or it was never finished\n"
        )
        assert len(machine.installed) == 2

    def test_a_checkout_that_was_moved(self, installed):
        installed.checkout = installed.checkout.rename(installed.checkout.with_name("elsewhere"))
        assert self.again(installed).startswith("removing .venv: it was made in another place\n")
        assert self.again(installed) == ""

    def test_packages_that_cannot_be_had_are_tried_again(self, machine):
        (machine.checkout / "no-network").touch()
        done = machine.run("install")
        assert done.returncode == 1
        assert done.stderr == "error: the packages could not be installed; pip says why above\n"
        (machine.checkout / "no-network").unlink()
        assert len(machine.installed) == 1
        assert self.again(machine) == "bringing .venv up to date\n"
        assert len(machine.installed) == 2

    def test_on_alpine_packages_fail_for_want_of_wheels(self, machine):
        (machine.checkout / "no-network").touch()
        machine.program("apk", "")
        assert "musl" in machine.run("install").stderr

    def test_a_folder_that_is_none_of_ours_is_left_alone(self, machine):
        (machine.checkout / ".venv").mkdir()
        (machine.checkout / ".venv/precious").touch()
        done = machine.run("install")
        assert done.returncode == 1
        assert done.stderr == "error: .venv is no virtual environment; move it away\n"
        assert (machine.checkout / ".venv/precious").exists()

    def test_without_any_python(self, machine):
        (machine.programs / "python3").unlink()
        done = machine.run("install")
        assert done.returncode == 1
        assert done.stderr.startswith("error: no Python 3.11 to 3.14 found")

    def test_make_hands_on_the_python(self, machine, tmp_path):
        shutil.copy(CHECKOUT / "Makefile", machine.checkout)
        machine.python("mine", "3.11")
        done = subprocess.run(
            [shutil.which("make"), "install", "PYTHON=mine"],
            cwd=machine.checkout,
            env={"PATH": str(machine.programs)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.returncode) == ("making .venv with Python 3.11\n", 0), done.stderr


def test_the_makefile_needs_no_newer_make_than_macos_has():
    # 3.82 brought .ONESHELL and undefine, 4.0 and later !=, $(file), ::= and grouped targets.
    makefile = (CHECKOUT / "Makefile").read_text()
    assert not re.search(r"^\.ONESHELL|^undefine|^[A-Z]+ *!=|\$\(file |::=|&:", makefile, re.MULTILINE)


@pytest.mark.parametrize("script", ["scripts/install", "scripts/make-venv", ".ci/run"])
def test_scripts_can_be_run(script):
    assert os.access(CHECKOUT / script, os.X_OK)
