"""The keys that move a card, on a pty, with a real kernel."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.host import PATIENCE, bind, driver, held, node, run, slot, until
from tests.lab.recording import Recording
from tests.lab.screens import (
    agree,
    both_with_the_host,
    free_for_a_guest,
    nvml_reads_both,
    planned,
    shows,
)
from tests.lab.swaps import CARD, HOST, JOURNAL, SOUND, VFIO, drivers, journal
from tests.lab.terminal import Terminal, terminal
from tests.thorough import thorough

pytestmark = [pytest.mark.only("two-slots"), pytest.mark.usefixtures("whole")]


@pytest.fixture
def screen() -> Iterator[Terminal]:
    with terminal("vfiotop", size=(100, 30)) as opened:
        opened.until(both_with_the_host)
        yield opened


def ask(screen: Terminal, key: str) -> None:
    """Press a key and wait for its plan."""
    screen.press(key)
    screen.until(planned)


def back(screen: Terminal) -> None:
    """Return to the overview; a key right after escape would read as Alt and that key."""
    screen.press("\x1b")
    screen.until(shows("╭─ 1 "))


def is_on_its_way(text: str) -> bool:
    """Whether a step is done."""
    return re.search(r"◐ step [2-9] of|✓ done in", text) is not None


def ended() -> bool:
    return JOURNAL.exists() and journal()["state"] in ("done", "undone", "failed")


def test_one_key_each_way(screen: Terminal) -> None:
    """A second screen shows the same swap."""
    recording = Recording(screen)
    with terminal("vfiotop") as other:
        other.until(both_with_the_host)
        for key, moving, ends, owned in (
            ("b", "◐ bind", VFIO, free_for_a_guest),
            ("u", "◐ unbind", HOST, both_with_the_host),
        ):
            recording.frame("before")
            ask(screen, key)
            recording.frame(f"{key}: the plan")
            screen.until(lambda text: "in /sys/bus/pci" in text and "> drivers_probe" in text)
            agree(screen)
            screen.until(is_on_its_way)
            recording.frame("y: on its way")
            other.until(shows(moving))
            screen.until(shows("✓ done in"))
            recording.frame("done")
            assert drivers() == ends
            other.until(lambda text, o=owned: "◐" not in text and o(text))  # type: ignore[misc]
            back(screen)
        screen.until(nvml_reads_both)
        screen.until(lambda text: re.search(r"✓ unbind done in .* vfiotop │", text) is not None)
        recording.frame("home")
    recording.write("lab-keys.txt")


def test_the_holder_of_a_card_is_on_the_screen(screen: Terminal) -> None:
    with held(node(CARD)) as process:
        screen.press("b")
        screen.until(shows("✗ refused"))
        screen.until(shows(f"by python ({process.pid}, root), which holds {node(CARD)}"))
        screen.until(shows(f"or run `kill {process.pid}`"))
        screen.press("y")
        screen.until(shows(f"refused: in use by python ({process.pid}, {node(CARD)})"))
    assert not JOURNAL.exists()
    assert drivers() == HOST


@pytest.mark.parametrize("end", ["hang up", *thorough("kill")])
def test_the_screen_goes_away_in_the_middle(screen: Terminal, end: str) -> None:
    recording = Recording(screen)
    ask(screen, "b")
    agree(screen)
    screen.until(is_on_its_way)
    recording.frame("on its way; then the terminal is gone")
    if end == "kill":
        screen.process.kill()
    else:
        screen.hang_up()
    screen.process.wait(PATIENCE)
    with terminal("vfiotop", size=(100, 30)) as after:
        after.until(lambda text: "◐ bind" in text or free_for_a_guest(text))
        until(ended)
        after.until(free_for_a_guest)
        recording.frame("a new terminal", after)
    assert (journal()["state"], drivers()) == ("done", VFIO)
    if end == "hang up":
        recording.write("lab-hang-up.txt")


@pytest.mark.thorough
@pytest.mark.parametrize("end", ["kill", "hang up"])
@pytest.mark.parametrize(("key", "ends"), [("b", VFIO), ("u", HOST)])
def test_the_screen_goes_away_at_any_step(key: str, ends: dict[str, str], end: str) -> None:
    for step in range(8):
        for address in (SOUND, CARD):
            bind(address, None if key == "b" else "vfio-pci")
        JOURNAL.unlink(missing_ok=True)
        with terminal("vfiotop", size=(100, 30)) as screen:
            screen.until(both_with_the_host if key == "b" else free_for_a_guest)
            ask(screen, key)
            agree(screen)
            until(lambda n=step: JOURNAL.exists() and (ended() or journal()["step"] >= n))  # type: ignore[misc]
            screen.process.kill() if end == "kill" else screen.hang_up()
            screen.process.wait(PATIENCE)
        until(ended)
        assert (journal()["state"], drivers()) == ("done", ends)


@pytest.mark.parametrize(("key", "ends"), [("u", HOST), *thorough(("f", VFIO))])
def test_a_swap_whose_runner_was_killed_is_offered(
    screen: Terminal, key: str, ends: dict[str, str]
) -> None:
    ask(screen, "b")
    agree(screen)
    until(lambda: JOURNAL.exists() and journal()["step"] >= 3)
    os.kill(journal()["runner"]["pid"], signal.SIGKILL)
    screen.until(lambda text: "and has stopped" in text)
    screen.press("q")
    screen.process.wait(PATIENCE)
    with terminal("vfiotop", size=(100, 30)) as after:
        after.until(lambda text: "It was interrupted" in text)
        after.press(key)
        after.until(lambda text: "y finish now" in text or "y undo now" in text)
        assert not ended()
        agree(after)
        until(ended)
        after.until(lambda text: "✓ done in" in text or "Undone" in text)
    assert drivers() == ends


def test_a_half_bound_card(screen: Terminal) -> None:
    bind(SOUND, "vfio-pci")
    screen.until(lambda text: "half bound" in text)
    ask(screen, "u")
    agree(screen)
    screen.until(shows("✓ done in"))
    assert drivers() == HOST


def test_an_unknown_check_needs_a_second_confirmation() -> None:
    """A libvirt other than the system's does not know who has the card."""
    with terminal("vfiotop", "--connect", "test:///default", size=(100, 30)) as screen:
        screen.until(both_with_the_host)
        screen.press("b")
        screen.until(lambda text: planned(text) and "? cannot tell" in text)
        screen.until(shows("This may not be safe"))
        agree(screen)
        screen.until(shows("Risk:"))
        assert not JOURNAL.exists()
        screen.press("Y")
        screen.until(shows("✓ done in"))
    assert drivers() == VFIO


def add_user(name: str, password: str, uid: int = 1234) -> None:
    """A user with sudo. useradd cannot replace files in the lab's /etc."""
    hashed = run("perl", "-e", "print crypt($ARGV[0], '$6$vfiotop$')", password)
    home = Path("/run/lab", name)
    home.mkdir()
    os.chown(home, uid, uid)
    for file, words in (
        ("passwd", f"{name}:x:{uid}:{uid}::{home}:/bin/sh"),
        ("group", f"{name}:x:{uid}:"),
        ("shadow", f"{name}:{hashed}:20000:0:99999:7:::"),
        (f"sudoers.d/{name}", f"{name} ALL=(ALL) ALL"),
    ):
        with Path("/etc", file).open("a") as database:
            database.write(f"{words}\n")


def test_an_ordinary_user_gives_a_password() -> None:
    add_user("player", "letmein")
    with terminal("vfiotop", size=(100, 30), user="player") as screen:
        screen.until(both_with_the_host)
        ask(screen, "b")
        screen.until(shows("could not be inspected"))
        agree(screen)
        screen.until(lambda text: "password for player" in text)
        # The lab's terminal has no alternate screen: what the program says begins where it was.
        screen.until(lambda text: f"sudo for: vfiotop bind {CARD}" in text.replace("\n", ""))
        screen.press("\x03")
        screen.until(lambda text: "sudo did not start the runner" in text)
        assert not JOURNAL.exists()
        back(screen)
        ask(screen, "b")
        agree(screen)
        screen.until(lambda text: "password for player" in text)
        screen.press("letmein\n")
        screen.until(shows("✓ done in"))
        assert drivers() == VFIO
        back(screen)
        ask(screen, "u")
        agree(screen)  # sudo caches the password
        screen.until(shows("✓ done in"))
    assert drivers() == HOST
    assert driver(slot(1)) == "nvidia"
