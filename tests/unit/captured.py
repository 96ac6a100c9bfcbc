"""Captured hosts in a few lines, and what the commands say of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.hosts_layout import lay_out
from tui.cli.main import main

HOST_CARD, CARD, SOUND = "0000:08:00.0", "0000:0a:00.0", "0000:0a:00.1"


def functions(driver: str | None = "nvidia", **facts: Any) -> dict[str, list[dict[str, Any]]]:
    """A host card at 08:00 and a GeForce with its sound at 0a:00, by IOMMU group."""
    card = {"addr": CARD, "class": "0300", "vendor": "10de", "device": "2482", "driver": driver}
    sound = {"addr": SOUND, "class": "0403", "vendor": "10de", "device": "228b",
             "driver": driver if driver == "vfio-pci" else "snd_hda_intel"}  # fmt: skip
    host = {"addr": HOST_CARD, "class": "0300", "vendor": "10de", "device": "1b81",
            "driver": "nvidia"}  # fmt: skip
    return {"15": [host], "17": [card | facts, sound]}


def tower(place: Path, files: Mapping[str, str | bytes] | None = None, *,
          groups: bool = True, driver: str | None = "nvidia") -> Path:  # fmt: skip
    """The host captured in ``place``, with more ``files``; without ``groups`` its IOMMU is off."""
    found = functions(driver)
    ungrouped = [] if groups else [f for group in found.values() for f in group]
    host = {"groups": found if groups else {}, "ungrouped": ungrouped, "boot_vga": HOST_CARD}
    lay_out(host, place)
    for name, content in (files or {}).items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return place


def domain(name: str = "win11", uuid: str | None = "00000000-0000-4000-8000-000000000001",
           attributes: str = "", *addresses: str) -> str:  # fmt: skip
    """A domain as people post it."""
    devices = "".join(
        "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0x0000' "
        f"bus='0x{address[5:7]}' slot='0x{address[8:10]}' function='0x{address[11]}'/></source>"
        "</hostdev>"
        for address in (addresses or (CARD, SOUND))
    )
    identity = f"<uuid>{uuid}</uuid>" if uuid is not None else ""
    return (
        f"<domain type='kvm'{attributes}><name>{name}</name>{identity}"
        f"<devices>{devices}</devices></domain>\n"
    )


Command = Callable[..., dict[str, Any]]
"""A command on a captured host: its arguments, then what it printed as JSON."""


def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """The command line, in this process."""

    def run(*arguments: str | Path) -> dict[str, Any]:
        capfd.readouterr()
        code = main([*map(str, arguments), "--json"])
        out, errors = capfd.readouterr()
        assert (code in (0, 1), errors) == (True, "")
        found: dict[str, Any] = json.loads(out)
        return found

    return run


def checks(found: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The checks that a command printed, by their ids."""
    return {check["id"]: check for check in found["checks"]}
