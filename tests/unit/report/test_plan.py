"""Plans as text and as JSON."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.host.journal.test_file import ENTRY
from tui.model import Check, GuestPlan, Holder, Plan, Step, Verdict
from tui.report.journal import origins
from tui.report.plan import as_json, as_text, head, outcome

CARD, SOUND = "0000:02:00.0", "0000:02:00.1"
STEPS = (Step("load", "vfio-pci", 30.0), Step("override", "\n", 5.0, CARD, "/sys/x"))
PLAN = Plan("bind", CARD, (CARD, SOUND), STEPS)
GAME = Holder(CARD, 812, "game", "/dev/nvidia1", "ann", "game --fast", "game.service", stop="kill")


def checked(*verdicts: Verdict) -> Plan:
    return replace(PLAN, checks=tuple(
        Check(f"c{n}", CARD, verdict, f"reason {n}", f"fix {n}")
        for n, verdict in enumerate(verdicts)
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "allowed", "words"),
    [
        ((), True, "Ready: no check forbids it."),
        (("pass", "warn"), True, "Ready: no check forbids it."),
        (("pass", "unknown"), None, "Cannot tell whether it is safe: reason 1."),
        (("unknown", "fail"), False, "Refused: reason 1."),
    ],
)
def test_outcome(verdicts: tuple[Verdict, ...], allowed: bool | None, words: str) -> None:
    plan = checked(*verdicts)
    assert as_json(plan)["allowed"] is allowed
    assert outcome(plan) == words
    assert as_text(plan).endswith(f"\n\n{words}")


def test_headline() -> None:
    assert head(PLAN) == f"Bind {CARD} {SOUND} to vfio-pci"
    assert head(replace(PLAN, direction="unbind")) == f"Unbind {CARD} {SOUND} back to the host"
    guest = GuestPlan(
        "force-off", "win11", "win11", "u", "win11", ("virsh -c qemu:///system destroy win11",)
    )
    assert head(guest) == "Force off win11"


def test_text_blocks() -> None:
    plan = replace(checked("pass", "warn"), holders=(GAME, replace(GAME, pid=None, stop=None)))
    assert as_text(plan) == "\n\n".join((
        f"Bind {CARD} {SOUND} to vfio-pci",
        "Checks\n"
        f"  pass     {'c0':<23}  reason 0\n"
        f"  warn     {'c1':<23}  reason 1\n"
        f"  {'':<7}  {'':<23}  → fix 1",
        "In use by\n"
        "     812  ann  game  /dev/nvidia1  game.service  game --fast\n"
        "          → kill\n"
        "       –  ann  game  /dev/nvidia1  game.service  game --fast",
        f"Steps\n   1. {STEPS[0].text}\n   2. {STEPS[1].text}",
        "Ready: no check forbids it.",
    ))  # fmt: skip
    assert "In use by" not in as_text(PLAN)


def test_the_json_has_every_part() -> None:
    told = as_json(replace(checked("pass"), holders=(GAME,)))
    assert {key: told[key] for key in ("schema", "direction", "address", "moves")} == {
        "schema": 1, "direction": "bind", "address": CARD, "moves": [CARD, SOUND],
    }  # fmt: skip
    assert [step["text"] for step in told["steps"]] == [step.text for step in STEPS]
    assert told["checks"][0]["why"] == "reason 0"
    assert told["holders"][0]["pid"] == 812


def test_an_undo_restores_from_the_last_to_the_first() -> None:
    bare = replace(ENTRY.origins[0], driver=None)
    entry = replace(ENTRY, origins=(bare, ENTRY.origins[1]))
    assert origins(entry) == (
        "Undo the bind of 0000:02:00.0\n"
        "  0000:02:00.0  to nvidia\n"
        "  0000:02:00.1  to no driver"
    )  # fmt: skip
