"""The guest by commands and keys: started with its card, and never while another guest with a
GeForce card runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.host import URI, bind, defined, held, node, run, slot, virsh
from tests.lab.screens import agree, both_with_the_host, owned, planned, shows
from tests.lab.swaps import CARD, HOST, SOUND, VFIO, drivers, vfiotop
from tests.lab.terminal import terminal
from tests.thorough import thorough
from tui.guest.execute import start_rule
from tui.guest.planning import guest_plan_once
from tui.host import HostError
from tui.host.libvirt.control import LibvirtControl
from tui.host.real import real_host
from tui.model import Guests
from tui.rules.roles import Choice

pytestmark = pytest.mark.only("two-slots-2")


def owner(address: str) -> str:
    told: dict[str, Any] = json.loads(run("vfiotop", "status", "--json"))
    (found,) = [str(card["owner"]) for card in told["gpus"] if card["address"] == address]
    return found


def state(name: str) -> str:
    return virsh("domstate", name).strip()


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize("managed", ["yes", *thorough("no")])
def test_a_start_binds_the_card_first_managed_or_not(tmp_path: Path, managed: str) -> None:
    with defined(tmp_path, CARD, SOUND, managed=managed) as name:
        with held(node(CARD)) as process:
            assert f"({process.pid}, " in vfiotop("start", "--yes", code=1)
        assert (drivers(), state(name)) == (HOST, "shut off")
        told = vfiotop("start", "--yes")
        assert "8/8  wait for /dev/vfio/" in told
        assert f"{name}: running" in told
        assert (drivers(), state(name), owner(CARD)) == (VFIO, "running", f"guest:{name}")
        assert f"“{name}” is already running" in vfiotop("start", "--yes", code=1)
        assert "is running with the card" in vfiotop("unbind", "--yes", code=1)
        vfiotop("pause", "--yes")
        assert state(name) == "paused"
        vfiotop("resume", "--yes")
        vfiotop("force-off", "--yes")
        # libvirt leaves a card where it was before the start, whether managed or not.
        assert (drivers(), state(name)) == (VFIO, "shut off")
        vfiotop("unbind", "--yes")
        assert drivers() == HOST


@pytest.mark.usefixtures("whole")
def test_from_key_to_guest_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with defined(tmp_path, CARD, SOUND) as name, terminal("vfiotop", size=(100, 30)) as screen:
        screen.until(both_with_the_host)
        screen.until(lambda text: "○ shut off" in text)
        screen.press("s")
        screen.until(lambda text: planned(text) and f"Starts {name}." in text)
        began = time.monotonic()
        agree(screen)
        screen.until(lambda text: "◐       virsh" in text or f"{name} is running." in text)
        screen.until(lambda text: f"{name} is running." in text)
        took = time.monotonic() - began
        assert (drivers(), state(name)) == (VFIO, "running")
        screen.press("\x1b")
        screen.until(owned(f"◆ in {name}"))
        screen.press("x")
        screen.until(lambda text: planned(text) and f"Asks {name} to shut down" in text)
        agree(screen)
        screen.until(lambda text: "s left" in text)
        virsh("destroy", name)
        screen.until(lambda text: "u gives it back" in text)
        screen.press("u")
        screen.until(planned)
        agree(screen)
        screen.until(shows("✓ done in"))
        assert drivers() == HOST
    with capsys.disabled():
        print(f"\ns: bound and started after {took:.1f} s")


# --- one guest with a GeForce card -----------------------------------------------------

GEFORCE, PROFESSIONAL = "rtx4090", "a4000"
A, B = (slot(2), slot(2, 1)), (slot(3), slot(3, 1))


@contextmanager
def two_guests(folder: Path) -> Iterator[None]:
    """Two domains with a card each, both cards on vfio-pci."""
    for address in (*A, *B):
        bind(address, "vfio-pci")
    try:
        with defined(folder, *A, name="a"), defined(folder, *B, name="b"):
            yield
    finally:
        for address in (*A, *B):
            bind(address, None)


@pytest.mark.only("eight-gpus")
def test_two_guests_with_professional_cards(tmp_path: Path) -> None:
    with two_guests(tmp_path):
        for name in ("a", "b"):
            vfiotop("start", name, "--yes")
        assert (state("a"), state("b")) == ("running", "running")


@pytest.mark.only("eight-gpus")
def test_a_second_guest_with_a_geforce_card(
    tmp_path: Path, reset_cards: Callable[[str], None]
) -> None:
    reset_cards(GEFORCE)
    with two_guests(tmp_path):
        vfiotop("start", "a", "--yes")
        told = vfiotop("start", "b", "--yes", code=1)
        assert "“a” is running with a GeForce card: NVIDIA allows one such guest" in told
        assert "(r465.one-vm)" in told
        assert state("b") == "shut off"
        virsh("suspend", "a")
        assert "(r465.one-vm)" in vfiotop("start", "b", "--yes", code=1)
        # A transient domain of another name counts like any other.
        transient = tmp_path / "transient.xml"
        transient.write_text(virsh("dumpxml", "--inactive", "a").replace(">a<", ">z; rm -rf<"))
        text = transient.read_text()
        begin, end = text.index("<uuid>"), text.index("</uuid>")
        transient.write_text(text[:begin] + text[end + len("</uuid>") :])
        virsh("destroy", "a")
        virsh("create", str(transient))
        try:
            assert "“z; rm -rf” is running with a" in vfiotop("start", "b", "--yes", code=1)
        finally:
            virsh("destroy", "z; rm -rf")
        started_between(tmp_path)
        vfiotop("start", "b", "--yes")
        assert state("b") == "running"


def started_between(folder: Path) -> None:
    """An external start of a, between our check and our start of b; b then never runs."""
    plan, view = guest_plan_once(real_host(URI), Choice(), "start", "b")
    rule = start_rule(plan, view.gpus, ())
    looks = 0

    def look(guests: Guests) -> str | None:
        nonlocal looks
        looks += 1
        reason = rule(guests)
        if looks == 1:
            assert reason is None
            virsh("start", "a")
        return reason

    with pytest.raises(HostError, match="“a” is running with a GeForce card"):
        LibvirtControl(URI).start(plan.uuid, look)
    assert looks == 2
    assert (state("a"), state("b")) == ("running", "shut off")
    virsh("destroy", "a")
