"""``python -m tests.mutants [PATH …] [--tests PATH …]``: list the mutants that survive the tests
outside the lab. Paths are below tui/; the default is everything that a swap or a start needs.

The tests are collected once. Each mutant runs in a child of that process, with the changed code
in place of the function's. Only the tests that reach the changed line run, the fastest first, up
to the first failure. Programs that a test starts have no mutant in them, and code that runs at
import is not mutated.
"""

from __future__ import annotations

import argparse
import builtins
import importlib
import os
import pickle
import shutil
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
"""Accepted survivors: name to reason."""

PATIENCE = 60
"""Seconds after which a mutant counts as noticed, because a test would hang."""

Reached = dict[tuple[str, int], list[tuple[float, int]]]
"""For each line, the tests that reach it: seconds, and the index of the test."""


def modules(paths: list[str]) -> list[Path]:
    found = []
    for path in paths:
        target = HERE / "tui" / path
        found += sorted(target.rglob("*.py")) if target.is_dir() else [target]
    return found


class MutantRun:
    """The pytest plugin that runs mutants instead of the tests."""

    def __init__(self, paths: list[Path], jobs: int) -> None:
        self._paths, self._jobs = paths, jobs
        self.survived: list[Mutant] = []
        self.unreached: list[Mutant] = []
        self.failing: list[str] = []
        """Tests that fail without a mutant. They cannot notice one, so nothing is counted."""
        self.count = 0
        self._folder = Path()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        # A test may end a process that it forked, which would remove a TemporaryDirectory.
        self._folder = Path(tempfile.mkdtemp(prefix="mutants-"))
        self._folder.chmod(0o711)  # some tests look into their folders as another user
        try:
            self._run(session)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        return True

    def _run(self, session: pytest.Session) -> None:
        reached, self.failing = self._reached(session)
        if self.failing:
            print(*(f"fails without a mutant: {name}" for name in self.failing), sep="\n")
            return
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
        self._report()

    def _all(self) -> Iterator[Mutant]:
        for path in self._paths:
            yield from mutants(str(path.relative_to(HERE)), path.read_text())

    def _reap(self, running: dict[int, tuple[Mutant, float]]) -> None:
        if not running:
            return
        pid, status = os.waitpid(-1, 0)
        mutant, _ = running.pop(pid)
        shutil.rmtree(self._folder / str(pid), ignore_errors=True)
        if status == 0:
            self.survived.append(mutant)
            say(f"{place(mutant)} {mutant.change} {mutant.original}")

    def _report(self) -> None:
        known = tomllib.loads(KNOWN.read_text()) if KNOWN.exists() else {}
        survivors = [*self.survived, *self.unreached]
        for mutant in sorted(survivors, key=lambda m: (m.path, m.line)):
            reason = known.get(mutant.name, mutant.function)
            how = "no test reaches it" if mutant in self.unreached else "survives"
            print(f"{place(mutant)} {how}: {mutant.change} {mutant.original}\n    {reason}")
        without = sum(mutant.name not in known for mutant in survivors)
        share = 100 * len(survivors) / self.count
        print(f"{self.count} mutants, {len(survivors)} survive ({share:.1f} %), "
              f"{without} without a reason", flush=True)  # fmt: skip

    # --- in children ---

    def _reached(self, session: pytest.Session) -> tuple[Reached, list[str]]:
        """Run all tests unchanged. Returns the tests that reach each line of the modules, and
        the tests that fail."""
        file = self._folder / "reached"
        pid = os.fork()
        if pid == 0:
            quiet()
            use_folder(self._folder / "unchanged")
            file.write_bytes(pickle.dumps(reach(session, self._paths)))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if status:
            raise SystemExit("the tests did not finish; run them without mutants first")
        reached: tuple[Reached, list[str]] = pickle.loads(file.read_bytes())
        return reached

    def _start(self, session: pytest.Session, mutant: Mutant, tests: list[int]) -> int:
        pid = os.fork()
        if pid:
            return pid
        os.setsid()
        signal.alarm(PATIENCE)
        quiet()
        use_folder(self._folder / str(os.getpid()))
        put(mutant.path, mutant.function, mutant.code)
        for number in tests:
            for report in runtestprotocol(session.items[number], log=False, nextitem=None):
                if report.failed:
                    os._exit(1)
        os._exit(0)


def reach(session: pytest.Session, paths: list[Path]) -> tuple[Reached, list[str]]:
    """Run all tests with markers in the modules' functions."""
    reached: Reached = defaultdict(list)
    failing = []
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
            failing.append(item.nodeid)
            continue
        took = time.monotonic() - began
        for statement in set(seen):
            reached[statement].append((took, number))
    return dict(reached), failing


def put(path: str, function: str, code: CodeType) -> None:
    """Replace the code of a module's function."""
    found: Any = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for name in function.split("."):
        found = vars(found)[name]
    for way in ("fget", "func", "__func__"):
        found = getattr(found, way, found)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    assert isinstance(found, FunctionType)
    found.__code__ = code


def place(mutant: Mutant) -> str:
    return f"{mutant.path}:{mutant.line}"


def use_folder(folder: Path) -> None:
    """Have this process, a child, keep its temporary files in a folder that the parent removes:
    it ends without cleaning up."""
    folder.mkdir()
    os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.tempdir = str(folder)


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
    run = MutantRun(modules(given.paths), given.jobs)
    ended = pytest.main(["-q", "-p", "no:cacheprovider", "--capture=no", *given.tests], [run])
    if not run.count:
        return int(ended) or 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
