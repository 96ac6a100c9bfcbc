"""Sources that are made when they are first read."""

from __future__ import annotations

from typing import Any

from tui.host import Wake
from tui.host.later import Later, SelectiveLater, later_control
from tui.model import Demand, UsbHostDev

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


class FakeControl:
    """Notes what it is asked for."""

    unavailable_reason: str | None = None

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *given: self.asked.append((name, *given))


def test_a_control_is_made_for_the_first_action_and_passes_each_on() -> None:
    made: list[FakeControl] = []

    def make() -> Any:
        made.append(FakeControl())
        return made[-1]

    later, device = later_control(make), UsbHostDev()
    assert later.unavailable_reason is None
    assert made == []

    def forbids(_guests: object) -> None: ...
    def objection() -> None: ...

    later.act("stop", "1", "win11")
    later.start("1", forbids, "win11")
    later.lend_usb("1", device, (), objection, "win11")
    later.return_usb("1", device, "win11")
    later.definition("1")
    later.define("1", "before", "after")
    (control,) = made
    assert control.asked == [
        ("act", "stop", "1", "win11"), ("start", "1", forbids, "win11"),
        ("lend_usb", "1", device, (), objection, "win11"), ("return_usb", "1", device, "win11"),
        ("definition", "1"), ("define", "1", "before", "after"),
    ]  # fmt: skip
