"""``python -m tests.mutants [PATH …] [--tests PATH …]``: how many mutants live through the tests
outside the lab, and which; below tui/, without paths in what a swap and a start rest on.

The tests are collected once, and each mutant runs in a child of that process, with the changed
code in the function's place: only the tests that come by the changed line, the fastest first, to
the first that fails. What a test starts as another program has no mutant in it, and a mutant of
what runs at import is not made.
"""

from __future__ import annotations

import argparse
import builtins
import importlib
import os
import pickle
import signal
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.made import REACHED, Mutant, marked, mutants

HERE = Path(__file__).parents[2]
TARGETS = ("swap", "guest", "rules", "host/proc/holders.py", "host/libvirt/domain_edit.py")
TESTS = ("tests/unit", "tests/ui")
KNOWN = Path(__file__).with_name("survivors.toml")
"""Why a mutant may live: its name, and the reason."""

PATIENCE = 60
"""Seconds after which a mutant that ends nothing counts as noticed: a test would hang."""

Reached = dict[tuple[str, int], list[tuple[float, int]]]
"""Of each line the tests that come by it: seconds, and the index among all."""


def modules(paths: list[str]) -> list[Path]:
    found = []
    for path in paths:
        place = HERE / "tui" / path
        found += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    return found


class Hunt:
    """The plugin that runs mutants in place of the tests."""

    def __init__(self, paths: list[Path], jobs: int) -> None:
        self._paths, self._jobs = paths, jobs
        self.lived: list[Mutant] = []
        self.unreached: list[Mutant] = []
        self.count = 0

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        reached = self._reached(session)
        waiting = list(self._all())
        self.count = len(waiting)
        running: dict[int, tuple[Mutant, float]] = {}
        while waiting or running:
            while waiting and len(running) < self._jobs:
                mutant = waiting.pop()
                tests = sorted(reached.get((mutant.path, mutant.statement), []))
                if tests:
                    running[self._start(session, mutant, [n for _, n in tests])] = (
                        mutant, time.monotonic(),
                    )  # fmt: skip
                else:
                    self.unreached.append(mutant)
            self._reap(running)
        self._tell()
        return True

    def _all(self) -> Iterator[Mutant]:
        for path in self._paths:
            yield from mutants(str(path.relative_to(HERE)), path.read_text())

    def _reap(self, running: dict[int, tuple[Mutant, float]]) -> None:
        if not running:
            return
        pid, status = os.waitpid(-1, 0)
        mutant, _ = running.pop(pid)
        if status == 0:
            self.lived.append(mutant)
            say(f"{mutant.path}:{mutant.line} {mutant.deed} {mutant.was}")

    def _tell(self) -> None:
        known = tomllib.loads(KNOWN.read_text()) if KNOWN.exists() else {}
        lived = [*self.lived, *self.unreached]
        for mutant in sorted(lived, key=lambda m: (m.path, m.line)):
            reason = known.get(mutant.name, mutant.function)
            how = "no test comes by" if mutant in self.unreached else "lives"
            print(f"{mutant.path}:{mutant.line} {how}: {mutant.deed} {mutant.was}\n    {reason}")
        without = sum(mutant.name not in known for mutant in lived)
        print(f"{self.count} mutants, {len(lived)} live ({100 * len(lived) / self.count:.1f} %), "
              f"{without} without a reason", flush=True)  # fmt: skip

    # --- in children ---

    def _reached(self, session: pytest.Session) -> Reached:
        """Run all tests as they are, and see which lines of the modules each comes by."""
        # A test may end a process that it forked, which then removes what tempfile would.
        handle, name = tempfile.mkstemp()
        os.close(handle)
        file = Path(name)
        pid = os.fork()
        if pid == 0:
            quiet()
            file.write_bytes(pickle.dumps(reach(session, self._paths)))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if status:
            raise SystemExit("the tests did not run to their end")
        reached: Reached = pickle.loads(file.read_bytes())
        file.unlink()
        return reached

    def _start(self, session: pytest.Session, mutant: Mutant, tests: list[int]) -> int:
        pid = os.fork()
        if pid:
            return pid
        os.setsid()
        signal.alarm(PATIENCE)
        quiet()
        put(mutant.path, mutant.function, mutant.code)
        for number in tests:
            for report in runtestprotocol(session.items[number], log=False, nextitem=None):
                if report.failed:
                    os._exit(1)
        os._exit(0)


def reach(session: pytest.Session, paths: list[Path]) -> Reached:
    """Run all tests, with marks in the modules' functions."""
    reached: Reached = defaultdict(list)
    seen: set[tuple[str, int]] = set()
    setattr(builtins, REACHED, lambda path, line: seen.add((path, line)))
    for path in paths:
        name = str(path.relative_to(HERE))
        for function, code in marked(name, path.read_text()):
            put(name, function, code)
    for number, item in enumerate(session.items):
        seen.clear()
        began = time.monotonic()
        reports = runtestprotocol(item, log=False, nextitem=None)
        if any(report.failed for report in reports):
            say(f"left out, for it fails without a mutant: {item.nodeid}")
            continue
        took = time.monotonic() - began
        for place in set(seen):
            reached[place].append((took, number))
    return dict(reached)


def put(path: str, function: str, code: CodeType) -> None:
    """Give a function of a module another code."""
    found: Any = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for name in function.split("."):
        found = vars(found)[name]
    for way in ("fget", "func", "__func__"):
        found = getattr(found, way, found)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    assert isinstance(found, FunctionType)
    found.__code__ = code


def quiet() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nowhere, stream)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("paths", nargs="*", default=[*TARGETS], metavar="PATH")
    parser.add_argument("--tests", nargs="+", default=[*TESTS], metavar="PATH")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    hunt = Hunt(modules(given.paths), given.jobs)
    ended = pytest.main(["-q", "-p", "no:cacheprovider", "--capture=no", *given.tests], [hunt])
    if not hunt.count:
        return int(ended) or 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
