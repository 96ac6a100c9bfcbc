"""When the soak reports growth."""

from __future__ import annotations

import pytest

from tests.bench.soak import SLACK, Used, growth

STEADY = [Used(70_000 + 300 * (n % 3), 20 + n % 2, 9 + n % 2) for n in range(12)]


def test_what_goes_up_and_down_does_not_grow() -> None:
    assert growth(STEADY) == []


@pytest.mark.parametrize("name", Used._fields)
def test_what_is_more_in_the_end_than_ever_at_first_grows(name: str) -> None:
    more = 2 if name != "pss" else SLACK.pss // 4
    samples = [s._replace(**{name: getattr(s, name) + n * more}) for n, s in enumerate(STEADY)]
    (found,) = growth(samples)
    assert found.startswith(name)


def test_one_that_ends_lower_once_does_not_grow() -> None:
    high = [s._replace(fds=s.fds + 50) for s in STEADY[8:11]]
    assert growth([*STEADY[:8], *high, STEADY[11]]) == []
