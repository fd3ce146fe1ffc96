"""Environments of their own for peers and tools that this project does not depend on, made on first use."""

import shutil
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["QUIX", "TOOLS", "Environment"]

_BENCH = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Environment:
    """A virtual environment in bench/, and the file that says what is in it."""

    name: str
    purpose: str

    @property
    def folder(self) -> Path:
        """Where it is."""
        return _BENCH / f".venv-{self.name}"

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.folder / "bin" / "python"

    def install(self) -> None:
        """Make it, unless it is there as its requirements say."""
        requirements = _BENCH / f"{self.name}-requirements.txt"
        mark = self.folder / "made-of.txt"
        if mark.exists() and mark.read_bytes() == requirements.read_bytes():
            return
        print(f"making bench/{self.folder.name} for {self.purpose}", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        venv.create(self.folder, with_pip=True, symlinks=True)
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(requirements)], check=True)
        mark.write_bytes(requirements.read_bytes())


QUIX = Environment("quix", "the Quix Streams peer")
TOOLS = Environment("tools", "the confluent-kafka loop with state, and py-spy")
