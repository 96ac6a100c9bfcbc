"""The doctor's screen."""

from __future__ import annotations

import pytest

from tests.ui.rig import INVENTORY, SIZES, Rig, at_home, until
from tests.values import replace
from tui.host import HostError
from tui.model import Check, Guests, Holder, Holders
from tui.screens.doctor import command_of
from tui.terminal.clipboard import COPY_LIMIT, to_copy
from widgets.doctor_panel import DoctorPanel


def panel_text(rig: Rig) -> str:
    """The panel's lines, joined."""
    lines = rig.app.screen.query_one(DoctorPanel).lines
    return " ".join(" ".join("".join(span.text for span in line) for line in lines).split())


def in_use(rig: Rig) -> None:
    """A host with one check that fails, and one that cannot be made."""
    at_home(rig)
    rig.inspector.found = Holders((Holder("0000:01:00.0", 5, "game", "/dev/nvidia0"),))


@pytest.mark.parametrize("size", SIZES)
async def test_what_fails_comes_first_with_its_fix(size: tuple[int, int]) -> None:
    rig = Rig()
    in_use(rig)
    async with rig.running(size) as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "1 fail" in rig.text())
        for words in ("in use by game (5,", "close game", "kill 5", "display stays", "Guest GPU"):
            assert words in panel_text(rig), words
        assert panel_text(rig).index("close game") < panel_text(rig).index("display stays")


async def test_the_same_key_checks_again() -> None:
    rig = Rig()
    at_home(rig)
    async with rig.running() as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "✗ 0" in rig.text())
        assert "d check again" in rig.text()
        in_use(rig)
        await pilot.press("d")
        await until(pilot, lambda: "✗ 1 fail" in rig.text())
        rig.inspector.found = HostError("no /proc")
        await pilot.press("d")
        await until(pilot, lambda: "no /proc" in panel_text(rig))
        await pilot.press("escape")
        assert rig.app.screen.name == "overview"


async def test_a_host_without_a_gpu_says_so_once() -> None:
    rig = Rig()
    rig.pci.reading = replace(INVENTORY, functions=())
    async with rig.running() as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "this host has no GPU, so 16 checks" in panel_text(rig))
        assert panel_text(rig).count("this host has no GPU") == 1


async def test_unknown_checks_that_share_a_line_are_listed_one_by_one() -> None:
    rig = Rig()
    at_home(rig)
    checks = [Check(id, None, "unknown", f"why {id}") for id in ("privilege", "kernel.log")]
    async with rig.running() as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "✗ 0" in rig.text())
        panel = rig.app.screen.query_one(DoctorPanel)
        panel.show([("Host", checks)], captured=True)
        panel.post_message(DoctorPanel.Moved())
        await pilot.pause()
        assert "enter list them" in rig.text()
        await pilot.press("enter")
        assert "2 not known" not in panel_text(rig)
        assert "why privilege" in panel_text(rig)
        assert "why kernel.log" in panel_text(rig)
        assert "enter fold them" in rig.text()
        await pilot.press("down", "enter")
        assert "2 not known" in panel_text(rig)
        panel.show([("Host", checks[:1])], captured=True)
        panel.post_message(DoctorPanel.Moved())
        await pilot.pause()
        assert "enter" not in rig.text()


# --- copying a fix ---------------------------------------------------------------


async def test_the_fix_under_the_cursor_is_copied_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    in_use(rig)
    assert isinstance(rig.guests.reading, Guests)
    rig.guests.reading = replace(rig.guests.reading, readonly=True)
    async with rig.running() as pilot:
        copied: list[str] = []
        monkeypatch.setattr(rig.app, "copy_to_clipboard", copied.append)
        await pilot.press("d")
        await until(pilot, lambda: "1 fail" in rig.text())
        await pilot.press("y")
        fix = rig.app.screen.query_one(DoctorPanel).finding
        assert fix is not None and fix.check.fix is not None
        assert copied == [command_of(fix.check.fix)]
        assert f"Copied: {copied[0]}" in rig.text()
        await pilot.press("down")
        assert "Copied:" not in rig.text()
        panel = rig.app.screen.query_one(DoctorPanel)
        await pilot.press("end")
        assert panel.finding is not None
        assert panel.finding.check.id == "libvirt.reachable"
        await pilot.press("y")
        assert copied[1] != copied[0]


async def test_a_key_without_a_fix_says_so() -> None:
    rig = Rig()
    in_use(rig)
    async with rig.running() as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "1 fail" in rig.text())
        panel = rig.app.screen.query_one(DoctorPanel)
        panel.show([("Host", [])])
        await pilot.press("y")
        assert "y copy fix: the selected check has no fix" in rig.text()


@pytest.mark.parametrize(
    ("fix", "copied"),
    [
        ("start it with `systemctl start libvirtd` (or virtqemud)", "systemctl start libvirtd"),
        ("`vfiotop bind 01:00.0` binds it, `vfiotop unbind 01:00.0` returns it",
         "`vfiotop bind 01:00.0` binds it, `vfiotop unbind 01:00.0` returns it"),
        ("try another slot", "try another slot"),
    ],
)  # fmt: skip
def test_a_single_command_is_copied_without_the_words_around_it(fix: str, copied: str) -> None:
    assert command_of(fix) == copied


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("a\nb\x1b[31m\x07", "a b [31m "),
        ("a\u202eb\u200b", "a b "),
        ("é" * COPY_LIMIT, "é" * (COPY_LIMIT // 2)),
        ("\udcff", " "),
    ],
)
def test_control_characters_are_not_copied_and_the_length_is_limited(
    text: str, copied: str
) -> None:
    found = to_copy(text)
    assert found == copied
    assert len(found.encode()) <= COPY_LIMIT
    assert found.isprintable()
