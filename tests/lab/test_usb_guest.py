"""A USB device lent to a guest with Linux, as the guest itself sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.host import until, virsh
from tests.lab.screens import shows
from tests.lab.terminal import terminal
from tests.lab.usb import STICK, attribute, driver, go_to, port_of, replug
from tests.lab.usb_guest import definition, make, reported, yield_to_others

pytestmark = pytest.mark.only("usb-c")

NAME = "linux"
BOOT_S, SLOW_S = 900.0, 300.0
"""Time limits for its boot, and for anything while it runs: it is emulated inside an emulated
machine."""


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Path]:
    """The console of a running guest that has reported that it sees no USB device."""
    file, domain = tmp_path / "console", tmp_path / f"{NAME}.xml"
    domain.write_text(definition(NAME, make(tmp_path), file))
    virsh("create", str(domain))
    try:
        until(lambda: reported(file) == [[]], BOOT_S)
        yield_to_others(NAME)
        yield file
    finally:
        virsh("destroy", NAME)


@pytest.mark.thorough  # its boot takes minutes, and QEMU's own list stands for it in test_usb
def test_the_guest_sees_what_it_is_lent(console: Path, tmp_path: Path) -> None:
    stick = port_of(STICK)
    serial, product = (attribute(stick, name) for name in ("serial", "product"))
    seen = [f"{STICK[0]} {serial} {product}"]
    settings = tmp_path / "config.toml"
    settings.write_text(f'guest = "{NAME}"\n')
    with terminal("vfiotop", "--config", str(settings), size=(100, 40)) as screen:
        screen.until(shows("running"), SLOW_S)
        screen.press("v")
        screen.until(shows(f"{stick} {product}"), SLOW_S)
        go_to(screen, f"Lend {product}", SLOW_S)
        screen.until(shows("y lend"), SLOW_S)
        screen.press("y")
        until(lambda: reported(console) == [[], seen], SLOW_S)
        screen.until(shows(f"{NAME} has {product}"), SLOW_S)
        replug(stick)
        until(lambda: reported(console) == [[], seen, [], seen], SLOW_S)
        screen.until(shows(f"Take back {product}"), SLOW_S)
        screen.press("y")
        until(lambda: reported(console) == [[], seen, [], seen, []], SLOW_S)
        until(lambda: driver(stick) == "usb-storage")
