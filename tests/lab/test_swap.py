"""The swap, for real: both ways, refused, interrupted, recovered."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.host import (
    PATIENCE,
    bind,
    driver,
    held,
    link,
    node,
    override_of,
    slot,
)

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


pytestmark = pytest.mark.only("two-slots")


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


def test_a_holder_is_refused_by_name() -> None:
    with held(node(CARD)) as process:
        said = vfiotop("bind", "--yes", code=1)
    assert f"({process.pid}, /dev/nvidia" in said
    assert drivers() == HOST
    assert not JOURNAL.exists()
