"""Messages about the holders of a card, and about processes that could not be inspected."""

from __future__ import annotations

import pytest

from tui.model import Holder, Holders, UninspectedProcess
from tui.rules import holder_checks

CARD = "0000:02:00.0"
SILENT = UninspectedProcess(812, "cat", "does not answer")
MUCH = UninspectedProcess(33, "db", "has more open or mapped than 20 s suffice for")
OTHERS = tuple(UninspectedProcess(pid, f"p{pid}") for pid in range(1, 7))


@pytest.mark.parametrize(
    ("reading", "why", "fix"),
    [
        (Holders((), 1), "1 process of other users could not be inspected", "run this as root"),
        (
            Holders((), 57, OTHERS),
            "57 processes of other users could not be inspected, such as p1 (1), p2 (2), p3 (3), "
            "p4 (4)",
            "run this as root",
        ),
        (
            Holders((), 3, OTHERS[:3], fix="run it on the host itself"),
            "3 processes of other users could not be inspected, such as p1 (1), p2 (2), p3 (3)",
            "run it on the host itself",
        ),
        (
            Holders((), 1, (SILENT,)),
            "cat (812) could not be inspected: it does not answer",
            "end 812, or what it waits for",
        ),
        (
            Holders((), 3, (SILENT, MUCH, OTHERS[0])),
            "cat (812) could not be inspected: it does not answer, db (33) could not be "
            "inspected: it has more open or mapped than 20 s suffice for; "
            "1 process of other users could not be inspected, such as p1 (1)",
            "end 812, 33, or what it waits for; run this as root",
        ),
        (
            Holders((), unlisted_reason="/proc is mounted with hidepid=2", fix="run this as root"),
            "/proc is mounted with hidepid=2",
            "run this as root",
        ),
        (Holders((), unlisted_reason="/proc is no /proc"), "/proc is no /proc", None),
    ],
)
def test_why_there_may_be_more(reading: Holders, why: str, fix: str | None) -> None:
    assert holder_checks.why_incomplete(reading) == (why, fix)
    check = holder_checks.check(CARD, [CARD], reading)
    assert (check.verdict, check.why, check.fix) == ("unknown", why, fix)


def held(*processes: tuple[int, str, str | None]) -> Holders:
    return Holders(tuple(
        Holder(CARD, pid, name, "/dev/nvidia0", unit=unit) for pid, name, unit in processes
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("processes", "fix"),
    [
        ([(7, "obs", None)], "close obs, or run `kill 7`"),
        ([(7, "obs", None), (8, "sway", None), (9, "mpv", "app-mpv.scope"), (10, "mpv", None)],
         "close obs, mpv, or run `kill 7 9 10`; log out of the desktop, or move it to the other "
         "card"),
        ([(n, f"p{n}", None) for n in range(1, 41)],
         "close p1, p2, p3, p4 and 36 more, or run `kill 1 2 3 4`"),
        ([(n, "a", f"a{n}.service") for n in range(1, 7)],
         "`systemctl stop a1.service`; `systemctl stop a2.service`; `systemctl stop a3.service`; "
         "`systemctl stop a4.service`; and 2 more"),
    ],
)  # fmt: skip
def test_as_many_are_to_be_ended_as_are_named(
    processes: list[tuple[int, str, str | None]], fix: str
) -> None:
    found = holder_checks.check(CARD, [CARD], held(*processes))
    assert (found.verdict, found.fix) == ("fail", fix)


def test_whoever_is_seen_is_in_the_way_whoever_is_not() -> None:
    game = Holder(CARD, 7, "game", "/dev/nvidia1")
    check = holder_checks.check(
        CARD, [CARD], Holders((game,), unlisted_reason="processes are hidden")
    )
    assert check.verdict == "fail"
    reader = Holder(CARD, 8, "python3", "/dev/nvidia1", "anna", ours=True)
    check = holder_checks.check(
        CARD, [CARD], Holders((reader,), unlisted_reason="processes are hidden")
    )
    assert check.verdict == "unknown"


def test_our_readers_are_named_and_nothing_is_ended() -> None:
    nodes = ("/dev/nvidia1", "/dev/nvidiactl")
    readers = tuple(Holder(CARD, 8, "python3", node, "anna", ours=True) for node in nodes)
    check = holder_checks.check(CARD, [CARD], Holders(readers))
    assert check.verdict == "pass"
    assert check.why.startswith("only vfiotop's own reader 8 of anna")
    assert {holder_checks.how_to_stop(reader) for reader in readers} == {holder_checks.LEAVES}
    assert "reader 8 of anna has not released the card" in holder_checks.readers_still_there(
        readers
    )


def test_nobody_can_have_been_missed() -> None:
    assert holder_checks.why_incomplete(Holders(())) is None
    assert holder_checks.check(CARD, [CARD], Holders(())).why == "no process uses it"
