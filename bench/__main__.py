"""Run workloads, one after another, on one real Kafka on this machine.

    python -m bench                                 a short form of all that matter, some minutes
    python -m bench --full                          all, in full: the figures of docs/performance.md
    python -m bench fanout latency --full           some
    python -m bench fanout --set events=200000 --set peers=mastery,streams-1

Figures go to bench/results/NAME.json with --full, else to NAME.local.json. `python -m bench.report` makes
tables and plots of them. Gives 1 when a run was void.
"""

import argparse
import sys
import time
from dataclasses import fields, replace
from importlib import import_module
from typing import Any

from bench.harness import Harness
from bench.report import summary
from bench.rounds import machine, open_cluster

__all__ = ["main"]

#: Workloads in order of worth, and whether the short form has them.
WORKLOADS = {
    "fanout": True,
    "mastery": True,
    "latency": True,
    "restore": True,
    "mixed": True,
    "definition": True,
    "workers": False,
    "scaling": False,
    "profile": False,
}


def _sized(sizes: Any, settings: list[str]) -> Any:
    """The sizes with NAME=VALUE set in them. Raises ValueError."""
    kinds = {field.name: type(getattr(sizes, field.name)) for field in fields(sizes)}
    changes = {}
    for setting in settings:
        name, given, value = setting.partition("=")
        if not given or name not in kinds:
            raise ValueError(f"{setting}: NAME=VALUE, of {', '.join(kinds)}")
        changes[name] = kinds[name](value)
    return replace(sizes, **changes)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of: {', '.join(WORKLOADS)}")
    parser.add_argument("--full", action="store_true", help="the sizes of the published figures")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a size of one workload"
    )
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a running Kafka; by default one is started")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.workloads) - set(WORKLOADS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    arguments.workloads = arguments.workloads or [
        name for name, short in WORKLOADS.items() if short or arguments.full
    ]
    if arguments.set and len(arguments.workloads) != 1:
        parser.error("--set needs one workload")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run them, print what they found, write it."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = _arguments(argv)
    chosen: dict[str, tuple[Any, Any]] = {}
    for name in arguments.workloads:
        module = import_module(f"bench.{name}")
        try:
            chosen[name] = module, _sized(module.FULL if arguments.full else module.Sizes(), arguments.set)
        except ValueError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    void = 0
    with open_cluster(arguments.bootstrap) as (cluster, broker, kafka):
        harness = Harness(cluster, broker, kafka, " ".join(["python -m bench", *argv]))
        for name, (module, sizes) in chosen.items():
            began, before = time.monotonic(), machine()
            found = module.measure(harness, sizes)
            void += sum(bool(run.get("void")) for run in found["runs"])
            path = harness.save(name, sizes, before, found, full=arguments.full)
            print(
                f"\n{summary(path)}\n{name}: {time.monotonic() - began:.0f} s; figures: {path}\n", flush=True
            )
    return 1 if void else 0


if __name__ == "__main__":
    sys.exit(main())
