"""A virtual machine that libvirt does not know, on a real kernel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.host import attribute, bind, guest_with, held, link, run, until
from tests.lab.swaps import CARD, SOUND, vfiotop
from tests.libvirt.daemon import SEARCHED

pytestmark = pytest.mark.only("two-slots")


@pytest.fixture
def on_vfio() -> Iterator[None]:
    for address in (CARD, SOUND):
        bind(address, "vfio-pci")
    yield
    for address in (CARD, SOUND):
        bind(address, None)


def enabled() -> int:
    """How often the kernel has enabled the card."""
    return int(attribute(CARD, "enable"))


def card(told: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [gpu for gpu in json.loads(told)["gpus"] if gpu["address"] == CARD]
    return found


@contextmanager
def plain_qemu() -> Iterator[int]:
    """Start a QEMU with the card, without libvirt; returns its pid."""
    qemu = shutil.which("qemu-system-x86_64", path=SEARCHED)
    assert qemu is not None
    process = subprocess.Popen(
        [
            qemu, "-name", "guest=plain,debug-threads=on", "-M", "pc", "-accel", "tcg", "-m", "64",
            "-display", "none", "-nodefaults", "-S", "-device", f"vfio-pci,host={CARD}",
        ],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: enabled() > 0 or process.poll() is not None)
        assert process.poll() is None
        yield process.pid
    finally:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("on_vfio")
def test_an_idle_card_is_not_enabled_and_one_in_use_is(tmp_path: Path) -> None:
    """What an ordinary user can tell them apart by."""
    assert enabled() == 0
    with guest_with(tmp_path, CARD, SOUND):
        assert enabled() > 0
    until(lambda: enabled() == 0)


@pytest.mark.usefixtures("on_vfio")
def test_a_group_that_is_open_does_not_enable_its_card() -> None:
    """The scan for holders finds it anyway."""
    with held(f"/dev/vfio/{link(CARD, 'iommu_group')}") as process:
        assert enabled() == 0
        assert f"({process.pid}, /dev/vfio/" in vfiotop("unbind", "--yes", code=1)


@pytest.mark.usefixtures("on_vfio")
def test_plain_qemu_is_a_guest_with_the_card() -> None:
    with plain_qemu() as pid:
        seen = card(run("vfiotop", "status", "--json"))
        assert seen["owner"] == "guest:plain"
        assert seen["guest_uuid"] is None
        assert pid in {each["pid"] for each in seen["holders"]}
        refused = vfiotop("unbind", "--yes", code=1)
        assert f"“plain” (qemu-system-x86, pid {pid})" in refused
        assert "(guest.inactive)" in refused
    until(lambda: enabled() == 0)
    assert card(run("vfiotop", "status", "--json"))["owner"] == "vfio"


@pytest.mark.usefixtures("on_vfio")
def test_an_ordinary_user_does_not_see_the_card_as_free() -> None:
    def rules() -> tuple[str, bool]:
        program = (
            "import json, sys; from tui.once import examine_once; from tui.host.real import "
            "real_host; from tui.rules.roles import Choice;"
            "view = examine_once(real_host('test:///default'), Choice(sys.argv[1])).view;"
            "gpu = view.gpu(sys.argv[1]); print(json.dumps([str(gpu.owner), gpu.may_be_taken]))"
        )
        told = subprocess.run(
            [sys.executable, "-c", program, CARD], user="nobody", check=True, capture_output=True
        ).stdout
        owner, may_be_taken = json.loads(told)
        return owner, may_be_taken

    assert rules() == ("vfio", False)
    with plain_qemu():
        assert rules() == ("vfio", True)
