"""Sources that are made when they are first read."""

from __future__ import annotations

from tui.host import Wake
from tui.host.later import Later, SelectiveLater
from tui.model import Demand

FIRST, SECOND = Demand(guests=("one",)), Demand(guests=("two",))


class FakeSource:
    def __init__(self) -> None:
        self.demands: list[Demand] = []
        self.wakes: list[Wake] = []
        self.closed = False

    def read(self) -> int:
        return 1

    def watch(self, wake: Wake) -> None:
        self.wakes.append(wake)

    def set_demand(self, demand: Demand) -> None:
        self.demands.append(demand)

    def close(self) -> None:
        self.closed = True


class Maker:
    def __init__(self) -> None:
        self.made: list[FakeSource] = []

    def __call__(self) -> FakeSource:
        self.made.append(FakeSource())
        return self.made[-1]


def test_it_is_made_once_and_when_it_is_used() -> None:
    make = Maker()
    later = Later(make)
    assert make.made == []
    later.watch(print)
    assert [later.read(), later.read()] == [1, 1]
    (source,) = make.made
    assert source.wakes == [print]
    later.close()
    assert source.closed


def test_one_that_was_never_read_is_not_made_to_be_closed() -> None:
    make = Maker()
    Later(make).close()
    assert make.made == []


def test_it_is_told_the_last_demand_before_its_first_reading_and_each_one_after_it() -> None:
    make = Maker()
    later = SelectiveLater(make)
    later.set_demand(FIRST)
    later.set_demand(SECOND)
    assert make.made == []
    later.read()
    (source,) = make.made
    assert source.demands == [SECOND]
    later.set_demand(FIRST)
    assert source.demands == [SECOND, FIRST]
