"""Sources that are imported and made when they are first read.

For those that the first frame does not need: importing some takes milliseconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Generic, Protocol, TypeVar, cast

from tui.host import GuestControl, Source, Wake
from tui.model import Demand

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Later(Generic[T]):
    """The source that ``make`` returns, made by the thread that reads it."""

    def __init__(self, make: Callable[[], Source[T]]) -> None:
        self._make = make
        self._made: Source[T] | None = None

    @property
    def _source(self) -> Source[T]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def read(self) -> T:
        return self._source.read()

    def watch(self, wake: Wake) -> None:
        self._source.watch(wake)

    def close(self) -> None:
        if self._made is not None:
            self._made.close()


class Selective(Source[T_co], Protocol[T_co]):
    """A source that reads only what is in demand."""

    def set_demand(self, demand: Demand) -> None: ...


class SelectiveLater(Later[T]):
    """The same for a source that is told what is in demand, from any thread."""

    def __init__(self, make: Callable[[], Selective[T]]) -> None:
        super().__init__(self._make_selective)
        self._make_it = make
        self._lock = threading.Lock()
        self._demand: Demand | None = None
        self._selective: Selective[T] | None = None

    def set_demand(self, demand: Demand) -> None:
        with self._lock:
            self._demand = demand
            source = self._selective
        if source is not None:
            source.set_demand(demand)

    def _make_selective(self) -> Selective[T]:
        made = self._make_it()
        with self._lock:
            self._selective = made
            if self._demand is not None:
                made.set_demand(self._demand)
        return made


class _LaterControl:
    """What ``later_control`` returns: any other attribute is that of the control."""

    unavailable_reason: str | None = None

    def __init__(self, make: Callable[[], GuestControl]) -> None:
        self._make = make

    @cached_property
    def _control(self) -> GuestControl:
        return self._make()

    def __getattr__(self, name: str) -> object:
        return getattr(self._control, name)


def later_control(make: Callable[[], GuestControl]) -> GuestControl:
    """The control that ``make`` returns, which is available, made for the first action."""
    return cast("GuestControl", _LaterControl(make))
