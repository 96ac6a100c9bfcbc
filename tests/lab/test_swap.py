"""The swap by commands: in both directions, refused, and with a holder in the way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from tests.bench.swaps import Swapped
from tests.bench.swaps import write as write_swaps
from tests.lab.host import (
    PATIENCE,
    bind,
    driver,
    guest_with,
    held,
    link,
    modprobe,
    node,
    run,
    slot,
    sound_node,
    until,
)
from tests.lab.pace import slowness
from tests.lab.screens import free_for_a_guest, nvml_reads_both
from tests.lab.swaps import CARD, HOST, JOURNAL, SOUND, VFIO, drivers, journal, overrides, vfiotop
from tests.lab.terminal import terminal
from tests.lab.vm import RESULTS
from tests.thorough import thorough

pytestmark = [pytest.mark.only("two-slots"), pytest.mark.usefixtures("whole")]


def test_there_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    bare = [bare_writes("vfio-pci"), bare_writes(None)]
    vfiotop("bind", "--yes")
    assert drivers() == VFIO
    assert Path(f"/dev/vfio/{link(CARD, 'iommu_group')}").exists()
    took = [swap_seconds()]
    assert "already" in vfiotop("bind", "--yes", code=1)
    vfiotop("unbind", "--yes")
    assert drivers() == HOST
    assert overrides() == {CARD: None, SOUND: None}
    took.append(swap_seconds())
    assert JOURNAL.stat().st_mode & 0o777 == 0o644
    pace = slowness()
    swaps = [Swapped(*each, pace) for each in zip(("bind", "unbind"), took, bare, strict=True)]
    write_swaps(swaps, Path(RESULTS))
    with capsys.disabled():
        for each in swaps:
            print(f"\n{each.direction}: {each.swap_s:.1f} s, of which the bare writes take "
                  f"{each.writes_s:.1f} s, on a machine that is {pace:.0f} times as slow",
                  end="")  # fmt: skip


def bare_writes(name: str | None) -> float:
    began = time.monotonic()
    for address in (SOUND, CARD):
        bind(address, name)
    return time.monotonic() - began


def swap_seconds() -> float:
    """Seconds from the journal's first entry to its last."""
    told = journal()
    assert told["state"] == "done"
    began = datetime.fromisoformat(told["began_at"]).timestamp()
    return JOURNAL.stat().st_mtime - began


def test_a_card_that_slept_when_idle_does_so_after_a_guest_had_it() -> None:
    """vfio-pci leaves power/control on "on" (vfio_pci_core_unregister_device)."""
    # snd_hda_intel sets its own to auto, some time after its probe (azx_probe_continue).
    before = {CARD: "auto", SOUND: "auto"}
    for each in before:
        control(each).write_text("auto")
    vfiotop("bind", "--yes")
    assert f"echo auto > {control(CARD)}" in vfiotop("plan", "unbind")
    vfiotop("unbind", "--yes")
    try:
        assert drivers() == HOST
        assert {a: control(a).read_text().strip() for a in (CARD, SOUND)} == before
        assert journal()["message"] is None
    finally:
        control(CARD).write_text("on")


def control(address: str) -> Path:
    return Path("/sys/bus/pci/devices", address, "power/control")


def test_a_card_whose_driver_was_never_loaded_returns_to_the_host() -> None:
    """A card as after a boot with vfio-pci.ids=: no journal knows its driver."""
    for address in (SOUND, CARD):
        bind(address, "vfio-pci")
    modprobe("-r", "nvidia")
    try:
        vfiotop("unbind", "--yes")
        assert drivers() == HOST
        assert driver(slot(1)) == "nvidia"
    finally:
        modprobe("nvidia")


@pytest.mark.parametrize("by", ["fd", "mapping"])
def test_a_holder_is_refused_by_name(by: str) -> None:
    with held(node(CARD), by) as process:
        said = vfiotop("bind", "--yes", code=1)
    assert f"({process.pid}, " in said
    assert node(CARD) in said
    assert drivers() == HOST
    assert not JOURNAL.exists()


def test_a_holder_of_the_audio_blocks_too() -> None:
    control = sound_node(SOUND)
    with held(control) as process:
        assert f"({process.pid}, {control})" in vfiotop("bind", "--yes", code=1)
    assert drivers() == HOST


def test_an_ordinary_user_without_elevation() -> None:
    done = subprocess.run(
        ["vfiotop", "bind", "--yes", "--despite-doubts"], user="nobody", capture_output=True,
        text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert "sudo did not start the runner" in done.stderr
    assert drivers() == HOST


def test_with_systemd_the_swap_leaves_the_login_session() -> None:
    """A stand-in records its arguments and does the same."""
    stand_in, told = Path("/usr/sbin/systemd-run"), Path("/run/lab/scope")
    stand_in.write_text(
        f'#!/bin/sh\necho "$@" >{told}\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'
    )
    stand_in.chmod(0o755)
    Path("/run/systemd/system").mkdir(parents=True)
    try:
        vfiotop("bind", "--yes")
    finally:
        Path("/run/systemd/system").rmdir()
        stand_in.unlink()
    assert drivers() == VFIO
    assert told.read_text().startswith("--scope --quiet --collect --slice=system.slice -- /")


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
    assert f"remove `install vfio-pci /bin/false` from {forbidden}, line 1" in said
    assert (drivers(), overrides()) == (HOST, {CARD: None, SOUND: None})


def test_a_probe_that_binds_nothing_and_says_that_it_worked() -> None:
    """The audio function has no driver to return to: the whole card stays on vfio-pci."""
    vfiotop("bind", "--yes")
    modprobe("-r", "snd_hda_intel")  # the kernel's command line keeps it from loading automatically
    try:
        said = vfiotop("unbind", "--yes", code=1)
    finally:
        modprobe("snd_hda_intel")
    assert "no driver and not snd_hda_intel" in said
    assert (journal()["state"], drivers()) == ("undone", VFIO)


def test_a_full_journal_directory() -> None:
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


def test_a_running_guest_keeps_its_card(tmp_path: Path) -> None:
    vfiotop("bind", "--yes")
    with guest_with(tmp_path, CARD, SOUND) as name:
        said = vfiotop("unbind", "--yes", code=1)
        assert f"“{name}” is running with the card" in said
        assert drivers() == VFIO
    vfiotop("unbind", "--yes")
    assert drivers() == HOST


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("direction", "end"), [("bind", signal.SIGKILL), ("unbind", signal.SIGHUP)]
)
def test_the_caller_may_go_away(direction: str, end: signal.Signals) -> None:
    if direction == "unbind":
        vfiotop("bind", "--yes")
        JOURNAL.unlink()
    asked = subprocess.Popen(["vfiotop", direction, "--yes"], stdout=subprocess.DEVNULL)
    until(lambda: JOURNAL.exists() and journal()["step"] >= 1)
    asked.send_signal(end)
    asked.wait(PATIENCE)
    until(lambda: bool(journal()["state"] == "done"))
    assert drivers() == (VFIO if direction == "bind" else HOST)
    if direction == "bind":
        vfiotop("unbind", "--yes")


@pytest.mark.thorough
def test_a_terminal_that_goes_away_in_the_middle() -> None:
    with terminal("vfiotop", "bind") as window:
        window.until(lambda text: "now? [y/N]" in text)
        window.until(lambda text: "echo vfio-pci > /sys/bus/pci/devices/" in text)
        window.press("y\n")
        window.until(lambda text: re.search(r"running +[1-9]/8", text) is not None)
        window.hang_up()
    until(lambda: bool(journal()["state"] == "done"))
    assert drivers() == VFIO
    vfiotop("unbind", "--yes")


@pytest.mark.thorough
def test_an_open_screen_is_not_in_the_way() -> None:
    """The reader releases the card before the first write, and returns when the card does."""
    with terminal("vfiotop") as screen:
        screen.until(nvml_reads_both)
        vfiotop("bind", "--yes")
        screen.until(free_for_a_guest)
        vfiotop("unbind", "--yes")
        screen.until(nvml_reads_both)


def test_a_card_half_bound_by_a_script_is_recovered_too() -> None:
    bind(CARD, "vfio-pci")
    assert f"{CARD} is half bound" in vfiotop("recover", code=3)
    vfiotop("recover", "--finish", "--yes")
    assert drivers() == VFIO
    JOURNAL.unlink()
    bind(SOUND, None)
    vfiotop("recover", "--undo", "--yes")
    assert drivers() == HOST
    assert "nothing to recover" in vfiotop("recover")


@pytest.mark.parametrize("way", ["undo", *thorough("finish")])
def test_a_swap_whose_runner_was_killed_is_recovered_by_a_command(way: str) -> None:
    asked = subprocess.Popen(["vfiotop", "bind", "--yes"], stdout=subprocess.DEVNULL)
    until(lambda: JOURNAL.exists() and journal()["step"] == 3)
    os.kill(journal()["runner"]["pid"], signal.SIGKILL)
    assert asked.wait(PATIENCE) == 3
    assert "vfiotop recover --finish" in vfiotop("recover", code=3)
    assert "was interrupted" in vfiotop("bind", "--yes", code=3)
    vfiotop("recover", f"--{way}", "--yes")
    assert drivers() == (VFIO if way == "finish" else HOST)
    assert journal()["state"] == ("done" if way == "finish" else "undone")
    assert "nothing to recover" in vfiotop("recover")
    if way == "finish":
        vfiotop("unbind", "--yes")
    assert overrides() == {CARD: None, SOUND: None}
