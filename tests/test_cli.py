"""The command line's frame: what it prints, what it exits with, what it does not import."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

import app
from app import cli
from app.errors import MasteryError


def mastery(*arguments, env=None, **options):
    """Run the real command as a process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASTERY_")}
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment | (env or {}),
        **options,
    )


def test_help_lists_every_command_and_imports_none_of_them():
    code = (
        "import sys; from app.cli import main\ntry: main(['--help'])\nexcept SystemExit as e: print(e.code)\n"
    )
    code += "slow = ('app.commands.', 'faust', 'confluent', 'pydantic')\n"
    code += "print(*[module for module in sys.modules if module.startswith(slow)])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    *_, status, modules = done.stdout.splitlines()
    assert (status, modules) == ("0", "")
    for name, entry in cli.COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert entry.summary in done.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_summaries_that_fit(name):
    result = CliRunner().invoke(cli.cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: cli {name}")
    assert "..." not in result.output.partition("\nCommands:")[2], "a summary that is cut off"


def test_version():
    assert mastery("--version").stdout == f"mastery, version {app.__version__}\n"


@pytest.mark.parametrize("arguments", [["worker"], ["demo", "--exit"], ["status"]])
def test_windows_is_told_about_wsl2(arguments):
    # What Windows lacks is not there either; click is loaded first, for its own look at the platform.
    code = (
        "import sys, click\nsys.platform = 'win32'\nsys.modules['fcntl'] = None\n"
        f"from app.cli import main\nmain({arguments})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: mastery does not run on Windows itself\n  -> use WSL2 (wsl --install)\n"


def test_unknown_command_is_a_wrong_call():
    done = mastery("frobnicate")
    assert done.returncode == 2
    assert "No such command 'frobnicate'" in done.stderr
    assert done.stdout == ""


def test_expected_failures_are_one_line_and_a_hint_without_traceback():
    done = mastery("settings", env={"MASTERY_WEB_PORT": "x"})
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith("error: MASTERY_WEB_PORT: ")
    assert second.startswith("  -> ")


def test_misspelt_variables_are_told():
    done = mastery("settings", env={"MASTERY_BROKERS": "x"})
    assert done.returncode == 0
    assert done.stderr == "warning: MASTERY_BROKERS is not a setting (did you mean MASTERY_BROKER?)\n"


@pytest.fixture
def raising(monkeypatch, capsys):
    """Run `main` with a command that raises."""

    def run(error):
        def fail(**_):
            raise error

        monkeypatch.setattr(cli.cli, "main", fail)
        with pytest.raises(SystemExit) as caught:
            cli.main([])
        return caught.value.code, capsys.readouterr().err

    return run


class Special(MasteryError):
    exit_code = 7


def test_exit_codes(raising):
    assert raising(MasteryError("no", hint="yes")) == (1, "error: no\n  -> yes\n")
    assert raising(Special("no")) == (7, "error: no\n")
    assert raising(KeyboardInterrupt()) == (130, "")


def test_what_is_not_expected_keeps_its_traceback(monkeypatch):
    def fail(**_):
        raise ZeroDivisionError

    monkeypatch.setattr(cli.cli, "main", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main([])


def test_a_reader_that_has_enough_is_no_error():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", "settings"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stderr == ""
    assert done.returncode == 1
