"""``make lab``: run the tests that need a kernel with IOMMU groups, in one machine per topology;
with ``--open``, open one machine for a person.

Arguments that are not options of the lab go to pytest.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.kernel import LabError, kernel
from tests.lab.pace import NATIVE, stride
from tests.lab.topologies import TOPOLOGIES, Topology
from tests.lab.vm import PROJECT, RESULTS, Machine, Tell, end_all, make_image, to_stdout

LIMIT = 3300
"""Time limit in seconds per topology; two-slots needs half of it, the others a minute."""

AT_ONCE = 2
"""Machines that run in parallel, each with one CPU; the longest start first."""

SLOW = 300
"""Seconds after which a running test is reported with its stack."""

SHOWN_LINES = 120
"""Lines of a log shown after a failure."""

OUTSIDE = ("tests/lab/outside.py", "tests/lab/outside_agent.py")

NO_TESTS = 5
"""pytest's exit code when no test was selected, for example by -k for another topology."""

KEPT = PROJECT / ".lab"
"""The results of the last run."""


def main() -> int:
    """Run the suite or open a machine; returns the exit code."""
    given, rest = _parser().parse_known_args()
    for end in (signal.SIGTERM, signal.SIGHUP):  # cleans up on these, too
        signal.signal(end, lambda number, _: sys.exit(128 + number))
    try:
        return _open(given) if given.open else _suite(given, rest)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument(
        "--topology", choices=TOPOLOGIES, action="append", metavar="NAME",
        help=f"only this one; may be given more than once: {', '.join(TOPOLOGIES)}",
    )  # fmt: skip
    parser.add_argument("--models", help="what the cards are, in place of the usual")
    parser.add_argument(
        "--open", metavar="COMMAND", help="run a command on this terminal in place of the tests"
    )
    parser.add_argument("--pictures", type=Path, help="a folder for the pictures that tests take")
    parser.add_argument("--limit", type=int, default=LIMIT, help="seconds for one topology")
    return parser


def _machine(topology: Topology, image: Path, models: str | None) -> Machine:
    chosen = tuple(models.split(",")) if models else topology.models
    return Machine(kernel(), image, topology, chosen)


def _open(given: argparse.Namespace) -> int:
    name = given.topology[0] if given.topology else "two-slots"
    with tempfile.TemporaryDirectory(prefix="vfiotop-lab-") as made:
        image = Path(made, "image")
        make_image(image)
        machine = _machine(TOPOLOGIES[name], image, given.models)
        return machine.open(["bash", "-c", given.open], KEPT / "opened" / name)


def _suite(given: argparse.Namespace, rest: list[str]) -> int:
    names, native = given.topology or list(TOPOLOGIES), stride()
    codes = [] if given.topology else [_outside()]
    with tempfile.TemporaryDirectory(prefix="vfiotop-lab-") as made:
        image = Path(made, "image")
        make_image(image)

        def run(name: str, tell: Tell) -> int:
            machine = _machine(TOPOLOGIES[name], image, given.models)
            return _tested(machine, _pytest(name, native, rest), given.limit, rest, tell)

        codes += _at_once(names, run) if len(names) > 1 else [run(names[0], to_stdout)]
        for name in names if given.pictures else ():
            for picture in (KEPT / name).glob("lab-*"):
                shutil.copy(picture, given.pictures)
    return int(any(codes))


def _at_once(names: list[str], run: Callable[[str, Tell], int]) -> list[int]:
    """Run the machines of some topologies, a few at a time, and report each one as a whole."""

    def whole(name: str) -> tuple[int, bytes]:
        lines: list[bytes] = []
        return run(name, lines.append), b"".join(lines)

    pool, codes = ThreadPoolExecutor(AT_ONCE), []
    try:
        for code, output in pool.map(whole, names):
            to_stdout(output)
            codes.append(code)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        end_all()
        pool.shutdown()
    return codes


def _tested(machine: Machine, command: list[str], limit: int, rest: list[str], tell: Tell) -> int:
    """Run the tests in one machine; if they fail, show the ends of its logs."""

    def say(*lines: str) -> None:
        tell(("\n".join(lines) + "\n").encode())

    name, began = machine.topology.name, time.monotonic()
    say("", f"=== {name}: {machine.topology.text}")
    try:
        code = machine.run(command, KEPT / name, limit, tell)
    except LabError as error:
        say(f"lab: {error}")
        code = 1
    if code == NO_TESTS and rest:
        code = 0
    if code:
        for what, file in (("the kernel's log", "kernel.log"), ("what was waited for", "waiting")):
            say(*_end_of(what, KEPT / name / file))
    say(f"=== {name}: exit code {code} after {time.monotonic() - began:.0f} s")
    return code


def _outside() -> int:
    print("\n=== the machine from outside", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
               "-o", "tmp_path_retention_policy=none", *OUTSIDE]  # fmt: skip
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


def _end_of(what: str, file: Path) -> list[str]:
    if not file.exists():
        return []
    lines = file.read_text(errors="replace").splitlines()
    return [f"=== the end of {what}, {file}:", *lines[-SHOWN_LINES:]]


def _pytest(topology: str, native: float, rest: list[str]) -> list[str]:
    # Load only the plugins that the lab's tests use: the rest takes ten seconds.
    return [
        "env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", f"{NATIVE}={native}", "pytest", "tests/lab",
        "--confcutdir=tests/lab", "-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider",
        "-o", f"faulthandler_timeout={SLOW}", "--topology", topology,
        f"--junitxml={RESULTS}/junit.xml", *rest,
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
