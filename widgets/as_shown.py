"""Values that are equal if they look the same."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class AsShown(Struct, frozen=True, eq=False):
    """A value with times, which are compared as they are shown: a widget draws only what differs.

    ``UNSEEN`` names the fields that are not compared themselves, but by what is ``shown`` of them.
    """

    UNSEEN: ClassVar[frozenset[str]] = frozenset()

    @property
    def shown(self) -> tuple[object, ...]:
        """What stands for the fields in ``UNSEEN``."""
        return ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AsShown) or type(self) is not type(other):
            return NotImplemented
        compared = (name for name in self.__struct_fields__ if name not in self.UNSEEN)
        return self.shown == other.shown and all(
            getattr(self, name) == getattr(other, name) for name in compared
        )

    __hash__ = None  # type: ignore[assignment]  # fields hold mappings
