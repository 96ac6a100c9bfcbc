"""The holders of a card, on a real kernel."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.host import (
    driver,
    family,
    held,
    holds,
    is_nvml,
    node,
    run,
    slot,
    sound_node,
    until,
)
from tests.lab.screens import nvml_reads_both
from tests.lab.terminal import terminal
from tui.host.proc.holders import holders
from tui.model import Holder

pytestmark = pytest.mark.only("two-slots")

CARD, SOUND = slot(2), slot(2, 1)


def of(pid: int) -> list[Holder]:
    return [each for each in holders([CARD, SOUND]).holders if each.pid == pid]


@pytest.mark.parametrize(("by", "words"), [("fd", ""), ("mapping", "maps ")])
def test_a_process_that_uses_the_card(by: str, words: str) -> None:
    with held(node(CARD), by) as process, held(node(slot(1)), by):
        (seen,) = of(process.pid)
        assert (seen.address, seen.what, seen.user) == (CARD, f"{words}{node(CARD)}", "root")
        assert not seen.shared
        assert node(slot(1)) not in {each.what for each in holders([CARD]).holders}
    assert of(process.pid) == []


def test_a_process_that_uses_its_sound() -> None:
    control = sound_node(SOUND)
    with held(control) as process:
        (seen,) = of(process.pid)
        assert (seen.address, seen.what) == (SOUND, control)


def test_a_process_that_uses_all_cards() -> None:
    with held("/dev/nvidiactl") as process:
        (seen,) = of(process.pid)
        assert (seen.what, seen.shared) == ("/dev/nvidiactl", True)


def test_a_node_of_another_name(tmp_path: Path) -> None:
    """A node as in a container: only its number counts."""
    status = Path(node(CARD)).stat()
    other = Path("/run/lab/other")
    os.mknod(other, status.st_mode, status.st_rdev)
    with held(str(other)) as process:
        assert [each.what for each in of(process.pid)] == [node(CARD)]
    with held(str(other), "mapping") as process:
        assert [each.what for each in of(process.pid)] == [f"maps {node(CARD)}"]


def test_root_sees_all() -> None:
    """So an empty result means that nobody holds the card."""
    assert holders([CARD, SOUND]).complete


@pytest.mark.usefixtures("with_the_host")
def test_a_stopped_screen_holds_no_card() -> None:
    """Its reader exits for a swap on its own; nothing kills it."""
    with terminal("vfiotop") as screen:
        screen.until(nvml_reads_both)
        (reader,) = filter(is_nvml, family(screen.process.pid))
        until(lambda: node(CARD) in holds([reader]).get(reader, set()))
        (seen,) = [each for each in of(reader) if not each.shared]
        assert seen.ours
        screen.process.send_signal(signal.SIGSTOP)
        try:
            run("vfiotop", "bind", "--yes")
            assert driver(CARD) == "vfio-pci"
        finally:
            screen.process.send_signal(signal.SIGCONT)
    run("vfiotop", "unbind", "--yes")


def test_an_ordinary_user_does_not_see_all() -> None:
    asks = (
        "import json, sys; from tui.host.proc.holders import holders;"
        "found = holders(sys.argv[1:]); print(json.dumps([len(found.holders), found.uninspected]))"
    )
    with held(node(CARD)):
        told = subprocess.run(
            [sys.executable, "-c", asks, CARD], user="nobody", check=True, capture_output=True
        ).stdout
    seen, unseen = json.loads(told)
    assert seen == 0
    assert unseen > 1
