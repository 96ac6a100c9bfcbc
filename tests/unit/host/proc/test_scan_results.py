"""What a scan has found, made safe to show."""

from __future__ import annotations

from typing import Any

from tui.host.journal.file import JOURNAL
from tui.host.nvml.command import DRIVER, command
from tui.host.proc.device_nodes import Node
from tui.host.proc.holders import holders_from_scan
from tui.host.proc.visibility import how_to_see_more
from tui.model import UninspectedProcess

CARD = "0000:02:00.0"
NUMBER = ("c", 195, 1)
NODES = {NUMBER: [Node(NUMBER, "/dev/nvidia1", CARD)]}


def found(**more: Any) -> dict[str, Any]:
    return {"held": [], "left": None, "named": [], "unseen": 0, "blind": None, "real": True, **more}


def held(pid: int, cmdline: bytes, *, mapped: bool = False) -> tuple[Any, ...]:
    cgroup = b"0::/system.slice/game.service\n"
    return (pid, b"game", [(*NUMBER, mapped)], 0, cmdline, cgroup, True)


def test_a_command_line_is_words_with_a_zero_after_each() -> None:
    holders = holders_from_scan(
        found(held=[held(9, b"game\0--fast\0"), held(7, b"game --odd")]), NODES
    ).holders
    assert [(h.pid, h.command, h.what) for h in holders] == [
        (7, "game --odd", "/dev/nvidia1"), (9, "game --fast", "/dev/nvidia1"),
    ]  # fmt: skip
    assert {h.unit for h in holders} == {"game.service"}


def test_our_own_reader_is_one_by_all_its_words() -> None:
    """One word more or fewer, even an empty one, makes it somebody else's."""
    words = "\0".join(command(DRIVER, JOURNAL, (1, 2), [CARD]))
    ends = ("\0", "\0\0", "\0x\0")
    told_of = [
        holders_from_scan(found(held=[held(1, f"{words}{end}".encode())]), NODES).holders
        for end in ends
    ]
    assert [one.ours for (one,) in told_of] == [True, False, False]


def test_a_mapping_is_reported_as_one() -> None:
    (holder,) = holders_from_scan(found(held=[held(9, b"", mapped=True)]), NODES).holders
    assert (holder.what, holder.command) == ("maps /dev/nvidia1", None)


def test_those_with_a_reason_of_their_own_come_first() -> None:
    seen = holders_from_scan(
        found(unseen=3, named=[(3, b"c", ""), (2, b"b", "is silent"), (1, b"a", "")]), NODES
    )
    assert seen.examples == (
        UninspectedProcess(2, "b", "is silent"),
        UninspectedProcess(1, "a"),
        UninspectedProcess(3, "c"),
    )
    assert (seen.uninspected, seen.unlisted_reason, seen.fix) == (3, None, how_to_see_more())


def test_what_shows_more_is_reported_where_it_helps() -> None:
    assert holders_from_scan(found(), NODES).fix is None
    hidden = holders_from_scan(
        found(blind=("processes are hidden", "mount /proc without hidepid")), NODES
    )
    assert (hidden.unlisted_reason, hidden.fix) == (
        "processes are hidden",
        "mount /proc without hidepid",
    )
    late = holders_from_scan(found(left=(5, b"slow"), blind=("hidden", "help"), unseen=2), NODES)
    assert late.unlisted_reason == (
        "not all processes could be checked in time; slow (5) took longest"
    )  # fmt: skip
    assert late.fix is None


def test_a_capture_without_a_real_proc_hides_nothing() -> None:
    here = found(blind=("hidden", "help"), real=False)
    assert holders_from_scan(here, NODES, captured=True).unlisted_reason is None
    assert holders_from_scan(here, NODES).unlisted_reason == "hidden"
    assert (
        holders_from_scan(found(), NODES, blind="a node is missing").unlisted_reason
        == "a node is missing"
    )
