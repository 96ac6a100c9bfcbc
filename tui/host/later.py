"""A source that is imported and made when it is first read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from tui.host import Source, Wake

T = TypeVar("T")


class Later(Generic[T]):
    """The source that ``make`` returns, made by the thread that reads it.

    For sources that the first frame does not need: importing some takes milliseconds.
    """

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
