"""What every value of the model is."""

from __future__ import annotations

import pytest
from msgspec import Struct

import tui.model
import tui.model.requests
from tui.model import Boot, Metrics

VALUES = sorted(
    {
        value
        for module in (tui.model, tui.model.requests)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Struct) and value is not Struct
    },
    key=lambda value: value.__name__,
)


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_frozen_and_has_its_fields_only(value: type[Struct]) -> None:
    assert value.__struct_config__.frozen
    assert value.__dictoffset__ == 0


def test_equal_values_have_one_hash_and_other_kinds_are_never_equal() -> None:
    one, other = (
        Metrics(util_pct=12, throttle=("power cap",)),
        Metrics(12.0, throttle=("power cap",)),
    )
    assert one == other and hash(one) == hash(other)
    none: object = Boot()
    assert Metrics() != none
    with pytest.raises(AttributeError):
        one.util_pct = 13  # type: ignore[misc]
