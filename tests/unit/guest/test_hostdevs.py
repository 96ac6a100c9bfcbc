"""A guest gets another card: what stays unchanged on a failure, and what is saved."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.made import domain, snapshot, two_cards
from tui.guest.hostdevs import Change, assign, undo
from tui.host import HostError, Unsettled
from tui.rules.roles import Choice
from tui.rules.view import assess

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
VM = domain("vm", "01:00.0")
XML = (
    "<domain type='kvm'><name>vm</name><uuid>5f0c0000-0000-4000-8000-000000000001</uuid>"
    "<devices></devices></domain>"
)
CARD = "0000:02:00.0"


class Libvirt:
    """Has one definition. ``fails`` has the exception to raise, by call."""

    unavailable_reason: str | None = None

    def __init__(self, xml: str = XML, fails: dict[str, Exception] | None = None) -> None:
        self.xml, self.fails, self.reads = xml, fails or {}, 0

    def definition(self, uuid: str) -> str:
        self.reads += 1
        if self.reads > 1 and "read_back" in self.fails:
            raise self.fails["read_back"]
        return self.xml

    def define(self, uuid: str, before: str, after: str) -> None:
        if "define" in self.fails:
            raise self.fails["define"]
        assert before == self.xml
        self.xml = after

    def act(self, *_: object) -> None:
        raise AssertionError("nothing is done to the guest itself")

    start = lend_usb = return_usb = act


def given(libvirt: Libvirt, folder: Path) -> Change:
    view = assess(snapshot(two_cards()), Choice(CARD))
    card = view.gpu(CARD)
    assert card is not None
    return assign(libvirt, VM, card, view.gpus, folder=folder, at=NOON)


def test_the_definition_before_is_kept_and_can_be_put_back(tmp_path: Path) -> None:
    libvirt = Libvirt()
    change = given(libvirt, tmp_path)
    assert libvirt.xml == change.after != XML
    assert change.backup.read_text() == XML == change.before
    undo(libvirt, change)
    assert libvirt.xml == XML


def test_a_definition_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    libvirt = Libvirt("<domain><name>vm</name>")
    with pytest.raises(HostError, match="of vm was not changed: its definition is not well-formed"):
        given(libvirt, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_that_cannot_be_kept_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    libvirt = Libvirt()
    with pytest.raises(HostError, match=r"not changed: it could not be saved to .*Not a"):
        given(libvirt, tmp_path / "file" / "kept")
    assert libvirt.xml == XML


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            "define",
            Unsettled("the answer was lost"),
            "the answer was lost. The previous definition",
        ),
        (
            "read_back",
            HostError("libvirt is gone"),
            "now names the card, but its definition cannot be read back",
        ),
    ],
)
def test_what_is_not_known_names_the_way_back(
    tmp_path: Path, call: str, error: Exception, words: str
) -> None:
    with pytest.raises(Unsettled, match=words) as raised:
        given(Libvirt(fails={call: error}), tmp_path)
    (kept,) = tmp_path.iterdir()
    assert f"`virsh -c qemu:///system define {kept}` restores it" in str(raised.value)


def test_a_refusal_of_libvirt_is_one(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no such guest") as raised:
        given(Libvirt(fails={"define": HostError("no such guest")}), tmp_path)
    assert not isinstance(raised.value, Unsettled)


def test_two_guests_whose_names_look_alike_in_a_file_are_kept_apart(tmp_path: Path) -> None:
    first = given(Libvirt(), tmp_path).backup
    assert first.name.startswith(f"vm-{VM.uuid}-")
    assert replace(VM, uuid="other").uuid not in first.name
