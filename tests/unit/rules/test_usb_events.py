"""The events of USB devices."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.made import NOON, snapshot, two_cards
from tests.unit.rules.usb_made import running, usb
from tui.model import Domain, Snapshot, Unavailable, UsbDevice, UsbReading
from tui.rules.events import changes
from tui.rules.view import assess

PAD = usb("1-3", 7, name="Pad")
OTHER = usb("1-1", 2, name="Mouse")
WIN11, HAS = running("win11"), running("win11", PAD)


def seen(*devices: UsbDevice, domain: Domain = WIN11) -> Snapshot:
    return snapshot(two_cards(), (domain,), usb=UsbReading((OTHER, *devices)))


def rows(before: Snapshot, after: Snapshot, *asked: str) -> list[tuple[str, str, str, str]]:
    found = changes(assess(before), assess(after), NOON, asked)
    return [(each.subject, each.text, each.kind, each.by) for each in found]


@pytest.mark.parametrize(("asked", "by"), [((), "external"), (("uuid-win11",), "vfiotop")])
def test_lent_and_returned(asked: tuple[str, ...], by: str) -> None:
    lent = seen(PAD, domain=HAS)
    assert rows(seen(PAD), lent, *asked) == [("1-3", "Pad lent to win11", "done", by)]
    assert rows(lent, seen(PAD), *asked) == [("1-3", "Pad returned by win11", "done", by)]


def test_plugged_in_and_out() -> None:
    assert rows(seen(), seen(PAD)) == [("1-3", "plugged in: Pad", "note", "external")]
    assert rows(seen(PAD), seen()) == [("1-3", "unplugged: Pad", "note", "external")]
    lost = ("1-3", "unplugged: Pad, lent to win11", "warn", "external")
    assert rows(seen(PAD, domain=HAS), seen(domain=HAS)) == [lost]
    again = replace(PAD, number=8)
    assert [text for _, text, _, _ in rows(seen(PAD), seen(again))] == [
        "unplugged: Pad", "plugged in: Pad",
    ]  # fmt: skip


def test_a_source_that_does_not_answer_is_no_change() -> None:
    lent, away = seen(PAD, domain=HAS), Unavailable("no answer")
    assert not any("Pad" in text for _, text, _, _ in rows(lent, replace(lent, guests=away)))
    assert not any("Pad" in text for _, text, _, _ in rows(replace(lent, guests=away), lent))
    assert [text for _, text, _, _ in rows(lent, replace(lent, usb=away))] == ["no answer"]
    assert rows(replace(lent, usb=away), seen()) == [("USB", "answers again", "done", "host")]
