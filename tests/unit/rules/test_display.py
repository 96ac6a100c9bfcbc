"""A card that is not a VGA controller has no boot_vga: what its connectors show decides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.made import AUDIO, function, inventory, snapshot
from tui.model import Check
from tui.rules import r465
from tui.rules.roles import Choice
from tui.rules.view import assess

CARD = "0000:65:00.0"


def shared(others: tuple[bool | None, ...], **facts: Any) -> Check:
    """The check of an APU's graphics; the ``others`` are VGA cards, with what they show."""
    facts = {"vendor": "1002", "driver": "amdgpu", "iommu_group": 2} | facts
    more = (
        function(f"0{n}:00.0", driver="nvidia", iommu_group=10 + n, boot_vga=n == 1, picture=shows)
        for n, shows in enumerate(others, 1)
    )
    host = inventory(function("65:00.0", "038000", **facts), *more)
    view = assess(snapshot(host), Choice(CARD))
    gpu = view.gpu(CARD)
    assert gpu is not None
    return r465.not_shared(gpu, view)


@pytest.mark.parametrize(
    ("picture", "others", "verdict", "why"),
    [
        (False, (None,), "pass", "the card does not drive the host's display"),
        (None, (True,), "unknown", "cannot tell whether the card drives the host's display: its "
         "connectors are not known"),
        (None, (), "unknown", "cannot tell whether the card drives the host's display: its "
         "connectors are not known"),
        (True, (False,), "fail", "the card drives the host's display: no other card shows a "
         "picture"),
        (True, (False, False), "fail", "the card drives the host's display: no other card shows "
         "a picture"),
        (True, (), "fail", "the card drives the host's display: no other card shows a picture"),
        (True, (False, None), "unknown", "the card shows a picture, which may be the host's "
         "display"),
        (True, (True,), "unknown", "the card shows a picture, which may be the host's display"),
    ],
)  # fmt: skip
def test_what_its_connectors_show(
    picture: bool | None, others: tuple[bool | None, ...], verdict: str, why: str
) -> None:
    found = shared(others, picture=picture)
    assert (found.verdict, found.why) == (verdict, why)
    assert (found.fix is not None) == (picture is True)


@pytest.mark.parametrize(
    ("others", "verdict"), [((), "unknown"), ((None, False), "unknown"), ((None, True), "pass")]
)
def test_a_card_without_a_driver_may_show_the_picture_of_the_firmware(
    others: tuple[bool | None, ...], verdict: str
) -> None:
    """As at boot, before the drivers are loaded."""
    assert shared(others, driver=None).verdict == verdict


@pytest.mark.parametrize("driver", ["vfio-pci", "pci-stub"])
def test_a_card_that_the_host_does_not_use_shows_nothing_of_it(driver: str | None) -> None:
    assert shared((None,), driver=driver).verdict == "pass"


def test_a_driver_that_cannot_be_read_may_be_the_hosts() -> None:
    assert shared((None,), driver=None, unreadable=("driver",)).verdict == "unknown"


def test_a_3d_controller_has_no_screen() -> None:
    card = function("65:00.0", "030200", driver="nvidia", iommu_group=2)
    view = assess(snapshot(inventory(card)), Choice(CARD))
    (gpu,) = view.gpus
    assert r465.not_shared(gpu, view).verdict == "pass"


def two_displays(driver: str | None) -> Check:
    """The check of a VGA card whose second function is on that driver."""
    facts: dict[str, Any] = {"vendor": "1002", "iommu_group": 2}
    view = assess(snapshot(inventory(
        function("02:00.0", driver="radeon", boot_vga=False, **facts),
        function("02:00.1", "038000", driver=driver, **facts),
        function("02:00.2", AUDIO, driver="snd_hda_intel", **facts),
    )), Choice("0000:02:00.0"))  # fmt: skip
    gpu = view.gpu("0000:02:00.0")
    assert gpu is not None
    return r465.not_shared(gpu, view)


def test_a_display_that_moves_along_is_named() -> None:
    found = two_displays("radeon")
    assert found.verdict == "unknown"
    assert "0000:02:00.1, which moves with it," in found.why


def test_the_second_function_of_a_vga_card_needs_no_driver() -> None:
    assert two_displays(None).verdict == "pass"
