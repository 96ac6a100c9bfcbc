"""The swap by its commands: both ways, refused, and while others are in the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.lab.host import (
    PATIENCE,
    bind,
    driver,
    guest_with,
    held,
    link,
    node,
    override_of,
    run,
    slot,
    sound_node,
    until,
)
from tests.lab.terminal import terminal

CARD, SOUND = slot(2), slot(2, 1)
JOURNAL = Path("/run/vfiotop/swap.json")
HOST = {CARD: "nvidia", SOUND: "snd_hda_intel"}
VFIO = {CARD: "vfio-pci", SOUND: "vfio-pci"}


def vfiotop(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        ["vfiotop", *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def journal() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(JOURNAL.read_text())
    return told


def drivers() -> dict[str, str | None]:
    return {address: driver(address) for address in (CARD, SOUND)}


def overrides() -> dict[str, str | None]:
    return {address: override_of(address) for address in (CARD, SOUND)}


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    """Also a test that fails leaves the card with the host and nothing to recover."""
    assert drivers() == HOST
    yield
    for address in (SOUND, CARD):
        bind(address, None)
    JOURNAL.unlink(missing_ok=True)


pytestmark = [pytest.mark.only("two-slots"), pytest.mark.thorough]


def test_there_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    vfiotop("bind", "--yes")
    bound = time.monotonic()
    assert drivers() == VFIO
    assert Path(f"/dev/vfio/{link(CARD, 'iommu_group')}").exists()
    assert journal()["state"] == "done"
    assert "already" in vfiotop("bind", "--yes", code=1)
    back = time.monotonic()
    vfiotop("unbind", "--yes")
    ended = time.monotonic()
    assert drivers() == HOST
    assert overrides() == {CARD: None, SOUND: None}
    assert JOURNAL.stat().st_mode & 0o777 == 0o644
    with capsys.disabled():
        print(f"\nbind {bound - began:.1f} s, unbind {ended - back:.1f} s, all of the command")


@pytest.mark.parametrize("by", ["fd", "mapping"])
def test_a_holder_is_refused_by_name(by: str) -> None:
    with held(node(CARD), by) as process:
        said = vfiotop("bind", "--yes", code=1)
    assert f"({process.pid}, " in said
    assert node(CARD) in said
    assert drivers() == HOST
    assert not JOURNAL.exists()


def test_who_uses_the_sound_is_in_the_way_too() -> None:
    control = sound_node(SOUND)
    with held(control) as process:
        assert f"({process.pid}, {control})" in vfiotop("bind", "--yes", code=1)
    assert drivers() == HOST


def test_an_ordinary_user_is_told_to_be_root() -> None:
    done = subprocess.run(
        ["vfiotop", "bind", "--yes", "--despite-doubts"], user="nobody", capture_output=True,
        text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, "only root may move a card" in done.stderr) == (1, True)
    assert drivers() == HOST


def test_a_kernel_that_may_not_load_vfio_pci() -> None:
    forbidden = Path("/etc/modprobe.d/lab-forbids.conf")
    run("modprobe", "-r", "vfio-pci")
    forbidden.parent.mkdir(exist_ok=True)
    forbidden.write_text("install vfio-pci /bin/false\n")
    try:
        said = vfiotop("bind", "--yes", code=1)
    finally:
        forbidden.unlink()
        run("modprobe", "vfio-pci")
    assert "modprobe vfio-pci" in said
    assert (drivers(), overrides()) == (HOST, {CARD: None, SOUND: None})


def test_a_place_for_the_journal_that_is_full() -> None:
    folder = JOURNAL.parent
    folder.mkdir(mode=0o755, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", str(folder))
    try:
        with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        assert "cannot be written" in vfiotop("bind", "--yes", code=1)
    finally:
        run("umount", str(folder))
    assert (drivers(), overrides()) == (HOST, {CARD: None, SOUND: None})


def test_a_guest_that_runs_keeps_its_card(tmp_path: Path) -> None:
    vfiotop("bind", "--yes")
    with guest_with(tmp_path, CARD, SOUND) as name:
        said = vfiotop("unbind", "--yes", code=1)
        assert f"“{name}” runs and has the card's group" in said
        assert drivers() == VFIO
    vfiotop("unbind", "--yes")
    assert drivers() == HOST


@pytest.mark.parametrize(("deed", "end"), [("bind", signal.SIGKILL), ("unbind", signal.SIGHUP)])
def test_whoever_asked_may_go_away(deed: str, end: signal.Signals) -> None:
    if deed == "unbind":
        vfiotop("bind", "--yes")
        JOURNAL.unlink()
    asked = subprocess.Popen(["vfiotop", deed, "--yes"], stdout=subprocess.DEVNULL)
    until(lambda: JOURNAL.exists() and journal()["step"] >= 1)
    asked.send_signal(end)
    asked.wait(PATIENCE)
    until(lambda: bool(journal()["state"] == "done"))
    assert drivers() == (VFIO if deed == "bind" else HOST)
    if deed == "bind":
        vfiotop("unbind", "--yes")


def test_a_terminal_that_goes_away_in_the_middle() -> None:
    with terminal("vfiotop", "bind") as window:
        window.until(lambda text: "now? [y/N]" in text)
        assert "echo vfio-pci > /sys/bus/pci/devices/" in window.text()
        window.press("y\n")
        window.until(lambda text: re.search(r"running +[1-9]/8", text) is not None)
        window.hang_up()
    until(lambda: bool(journal()["state"] == "done"))
    assert drivers() == VFIO
    vfiotop("unbind", "--yes")


def test_an_open_screen_is_not_in_the_way() -> None:
    """Its readings let go before the first write, and come back when the card does."""
    with terminal("vfiotop") as screen:
        screen.until(lambda text: text.count("VRAM") == 2)
        vfiotop("bind", "--yes")
        screen.until(lambda text: "free for a guest" in text)
        vfiotop("unbind", "--yes")
        screen.until(lambda text: text.count("VRAM") == 2)


@pytest.mark.parametrize("way", ["finish", "undo"])
def test_a_swap_whose_runner_was_killed_is_recovered_by_a_command(way: str) -> None:
    asked = subprocess.Popen(["vfiotop", "bind", "--yes"], stdout=subprocess.DEVNULL)
    until(lambda: JOURNAL.exists() and journal()["step"] == 3)
    os.kill(journal()["runner"]["pid"], signal.SIGKILL)
    assert asked.wait(PATIENCE) == 3
    assert "vfiotop recover --finish" in vfiotop("recover", code=3)
    assert "was interrupted" in vfiotop("bind", "--yes", code=3)
    vfiotop("recover", f"--{way}")
    assert drivers() == (VFIO if way == "finish" else HOST)
    assert journal()["state"] == ("done" if way == "finish" else "undone")
    assert "nothing to recover" in vfiotop("recover")
    if way == "finish":
        vfiotop("unbind", "--yes")
    assert overrides() == {CARD: None, SOUND: None}
