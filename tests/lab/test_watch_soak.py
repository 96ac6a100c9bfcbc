"""Many guests with the card, one after the other: nothing of the watch grows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.lab.host import until
from tests.lab.returns import ended, runners
from tests.lab.sector import SectorGuest
from tests.lab.swaps import JOURNAL, vfiotop
from tests.lab.units import main_pid, show
from tests.lab.vm import RESULTS
from tests.lab.watches import (
    AFTER_STOP,
    RECORD,
    UNIT,
    await_return,
    await_user,
    lend,
    pending,
    watching,
)
from tui.watch.policies import VAIN_LIMIT

pytestmark = [pytest.mark.only("systemd"), pytest.mark.usefixtures("whole")]


@pytest.mark.thorough
def test_many_returns(
    guest: SectorGuest, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--rounds`` guests with the card, one after the other, under one watch. The table is written
    as it grows, in case the run is ended early."""
    rounds: int = pytestconfig.getoption("--rounds")
    shown = {1, *range(rounds // 8, rounds, max(1, rounds // 8)), rounds}
    with watching(AFTER_STOP, "pause = 0"):
        pid = main_pid(UNIT)
        rows: list[Size] = []
        table = Path(RESULTS, "soak.txt")

        def tell(line: str) -> None:
            print(line, flush=True)
            with table.open("a") as file:
                file.write(f"{line}\n")

        with capsys.disabled():
            tell(f"\nround {'  '.join(Size._fields)}")
            for number in range(1, rounds + 1):
                if number % VAIN_LIMIT:
                    lend()
                else:  # or the watch would take its returns to be in vain
                    vfiotop("bind", "--yes")
                guest.start()
                await_user(guest.name)
                ended(guest)
                await_return()
                until(lambda: not runners() and not pending())
                if number in shown:
                    if rows:  # threads and files of the last swap end soon after it
                        until(lambda: (now := size(pid)).fds <= rows[0].fds
                              and now.threads <= rows[0].threads)  # fmt: skip
                    rows.append(size(pid))
                    cells = zip(Size._fields, rows[-1], strict=True)
                    tell("  ".join([f"{number:>5}", *(f"{n:>{len(name)}}" for name, n in cells)]))
        assert (main_pid(UNIT), show(UNIT, "NRestarts")) == (pid, "0")


class Size(NamedTuple):
    """What a watch uses, and its files in /run: KiB of memory, bytes of the files."""

    fds: int
    threads: int
    rss_kib: int
    pss_kib: int
    record: int
    swap_json: int


def size(pid: int) -> Size:
    process = Path(f"/proc/{pid}")
    status = (process / "status").read_text()
    memory_map = (process / "smaps_rollup").read_text()
    return Size(
        len(list((process / "fd").iterdir())),
        _number("Threads", status),
        _number("VmRSS", status),
        _number("Pss", memory_map),
        RECORD.stat().st_size,
        JOURNAL.stat().st_size,
    )


def _number(name: str, text: str) -> int:
    """A value of a file like /proc/<pid>/status."""
    found = re.search(rf"^{name}:\s*(\d+)", text, re.MULTILINE)
    assert found is not None
    return int(found[1])
