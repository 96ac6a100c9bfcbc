"""Swaps of the lab's second card: how a user requests one, and what everybody sees."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.lab.host import PATIENCE, driver, override_of, slot

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
    record: dict[str, Any] = json.loads(JOURNAL.read_text())
    return record


def drivers() -> dict[str, str | None]:
    return {address: driver(address) for address in (CARD, SOUND)}


def overrides() -> dict[str, str | None]:
    return {address: override_of(address) for address in (CARD, SOUND)}
