"""What a Dockerfile and a .dockerignore say, as far as ours go."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Dockerfile", "ignored"]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The instructions of each stage, in order: `("RUN", "apt-get update && ...")`."""

    stages: tuple[tuple[tuple[str, str], ...], ...]

    @classmethod
    def read(cls, path: Path) -> "Dockerfile":
        """Join continued lines and leave comments out."""
        lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
        text = re.sub(r"\\\n\s*", "", "\n".join(lines))
        stages: list[list[tuple[str, str]]] = []
        for line in filter(str.strip, text.splitlines()):
            word, _, rest = line.partition(" ")
            if word == "FROM":
                stages.append([])
            if stages:
                stages[-1].append((word, rest.strip()))
        return cls(tuple(map(tuple, stages)))

    def all(self, word: str, *, stage: int | None = None) -> list[str]:
        """Return the arguments of all these instructions, of one stage or of all."""
        stages = self.stages if stage is None else self.stages[stage : stage + 1 or None]
        return [rest for instructions in stages for name, rest in instructions if name == word]

    @property
    def command(self) -> list[str]:
        """ENTRYPOINT and CMD of the image; ValueError unless both are in exec form."""
        return [part for word in ("ENTRYPOINT", "CMD") for part in json.loads(self.all(word, stage=-1)[-1])]

    @property
    def entrypoint(self) -> list[str]:
        """ENTRYPOINT alone."""
        return list(json.loads(self.all("ENTRYPOINT", stage=-1)[-1]))

    @property
    def environment(self) -> dict[str, str]:
        """ENV of the image."""
        pairs = [part.partition("=") for line in self.all("ENV", stage=-1) for part in shlex.split(line)]
        return {name: value for name, _, value in pairs}

    @property
    def copied(self) -> list[str]:
        """What is copied from the build context."""
        arguments = [shlex.split(line) for line in self.all("COPY")]
        return [source for line in arguments if not line[0].startswith("--from") for source in line[:-1]]


def ignored(dockerignore: str, path: str) -> bool:
    """Whether a path is kept out of the build: the last pattern that fits it, or a folder of it, decides."""
    parts = path.split("/")
    candidates = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    out = False
    for line in dockerignore.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        keep = pattern.startswith("!")
        if any(re.fullmatch(_regex(pattern.removeprefix("!").strip("/")), name) for name in candidates):
            out = not keep
    return out


def _regex(pattern: str) -> str:
    """`**/` is any folders or none, `*` and `?` stay within one name."""
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(known.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern))
