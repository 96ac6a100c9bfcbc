"""The owner of a card as a value, and as ``status --json`` writes it."""

from __future__ import annotations

import pytest

from tui.model import Owner, OwnerKind


@pytest.mark.parametrize("kind", ["host", "vfio", "none", "moving", "stuck", "unknown"])
def test_every_other_owner_is_written_as_its_kind(kind: OwnerKind) -> None:
    assert str(Owner(kind)) == kind


@pytest.mark.parametrize("name", ["win11", "guest:win11", "a:b"])
def test_a_guest_is_written_with_its_name(name: str) -> None:
    assert str(Owner("guest", name)) == f"guest:{name}"


def test_guests_of_different_names_are_different_owners() -> None:
    assert Owner("guest", "win11") == Owner("guest", "win11") != Owner("guest", "debian")
