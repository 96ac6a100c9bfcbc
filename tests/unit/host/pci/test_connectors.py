"""What the connectors of a card show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.host.pci.connectors import has_picture, primary_node
from tui.host.tree import PlainTree


def lay_out(device: Path, connectors: dict[str, tuple[str | None, str | None]]) -> PlainTree:
    """A card with these connectors, each with ``enabled`` and ``dpms``."""
    for name, values in connectors.items():
        folder = device / "drm/card1" / name
        folder.mkdir(parents=True)
        for attribute, text in zip(("enabled", "dpms"), values, strict=True):
            if text is not None:
                (folder / attribute).write_text(f"{text}\n")
    return PlainTree(device)


LIT, OFF, ASLEEP = ("enabled", "On"), ("disabled", "Off"), ("enabled", "Off")


@pytest.mark.parametrize(
    ("connectors", "picture"),
    [
        ({"card1-eDP-1": LIT}, True),
        ({"card1-DP-1": OFF, "card1-HDMI-A-1": LIT}, True),
        ({"card1-DP-1": OFF, "card1-HDMI-A-1": OFF}, False),
        ({"card1-DP-1": OFF, "card1-HDMI-A-1": ASLEEP}, None),
        ({"card1-DP-1": OFF, "card1-DP-2": (None, None)}, None),
        ({"card1-DP-1": (None, "On")}, None),
        ({"card1-DP-1": ("enabled", None)}, None),
        ({"card1-DP-1": (None, None), "card1-DP-2": LIT}, True),
        ({"device": LIT, "card1-\x1b[31m": LIT, "x": LIT}, None),
        ({}, None),
    ],
)
def test_each_mix(
    tmp_path: Path, connectors: dict[str, tuple[str | None, str | None]], picture: bool | None
) -> None:
    assert has_picture(lay_out(tmp_path, connectors)) is picture


@pytest.mark.parametrize(
    ("driver", "picture"),
    [("amdgpu", False), ("i915", False), ("xe", False), ("nvidia", None), (None, None)],
)
def test_a_card_without_connectors_shows_nothing_if_its_driver_lists_all(
    tmp_path: Path, driver: str | None, picture: bool | None
) -> None:
    (tmp_path / "drm/card0").mkdir(parents=True)
    assert has_picture(PlainTree(tmp_path), driver) is picture


def test_a_card_without_drm(tmp_path: Path) -> None:
    assert primary_node(PlainTree(tmp_path)) is None
    assert has_picture(PlainTree(tmp_path)) is None
    (tmp_path / "drm/renderD128").mkdir(parents=True)
    assert has_picture(PlainTree(tmp_path)) is None
    (tmp_path / "drm/card0").mkdir()
    assert str(primary_node(PlainTree(tmp_path))) == str(tmp_path / "drm/card0")
    assert has_picture(PlainTree(tmp_path)) is None
