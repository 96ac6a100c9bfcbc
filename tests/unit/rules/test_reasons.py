"""A check's reason is a complete sentence: the command line prints the reason of a refusal
alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from tests.unit.made import card, domain, inventory, snapshot, two_cards
from tui.guest.plan import make_plan
from tui.model import (
    Check,
    DomainState,
    GuestAction,
    Holders,
    Inventory,
    Readiness,
)
from tui.rules.check_input import CheckInput
from tui.rules.doctor import all_checks, examine
from tui.rules.view import assess

TUI = Path(__file__).parents[3] / "tui"
PRONOUN = re.compile(r"(it|its|they|their|them) ")
UNREADABLE = ("driver", "device", "iommu_group")


def heads(reason: ast.expr) -> Iterator[str]:
    """The beginnings that a reason in the source may have."""
    if isinstance(reason, ast.Constant) and isinstance(reason.value, str):
        yield reason.value
    elif isinstance(reason, ast.JoinedStr) and reason.values:
        yield from heads(reason.values[0])
    elif isinstance(reason, ast.IfExp):
        yield from (*heads(reason.body), *heads(reason.orelse))
    elif isinstance(reason, ast.BoolOp):
        yield from (head for value in reason.values for head in heads(value))


def test_no_reason_in_the_source_starts_with_a_pronoun() -> None:
    seen = 0
    for path in TUI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Check"):
                continue
            for reason in node.args[3:4]:
                for head in heads(reason):
                    seen += 1
                    assert not PRONOUN.match(head), f"{path.name}:{node.lineno}: {head}"
    assert seen > 50


def unreadable(what: frozenset[str]) -> Inventory:
    """Two cards; files of the guest's card cannot be read."""
    host, guest = card("01:00", 1, boot_vga=True), card("02:00", 2, unreadable=what)
    return inventory(*host, *guest)


def checks(action: GuestAction, state: DomainState, pci: Inventory) -> Iterator[Check]:
    """The checks of an action and of the doctor, for guests that list all or none of the card."""
    for devices in ((), ("02:00.0",), ("02:00.0", "02:00.1")):
        for problem in (None, "its definition has a DTD"):
            guest = domain("win11", *devices, state=state, problem=problem)
            seen = snapshot(pci, (guest,))
            readings = CheckInput(
                assess(seen), seen.guests, Holders(()), Readiness(root=True, vfio_pci=True)
            )
            yield from make_plan(action, guest, readings).checks
            yield from all_checks(examine(readings))


@pytest.mark.parametrize("action", get_args(GuestAction))
@pytest.mark.parametrize("state", get_args(DomainState))
def test_no_reason_starts_with_a_pronoun(action: GuestAction, state: DomainState) -> None:
    hosts = (two_cards(), two_cards("vfio-pci"), *(unreadable(frozenset({w})) for w in UNREADABLE))
    for pci in hosts:
        for check in checks(action, state, pci):
            assert not PRONOUN.match(check.why), check
