"""Asks the watch of this host to keep a card on vfio-pci."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tui.host import HostError

if TYPE_CHECKING:
    from tui.host.watch.record import RecordFile

ONLY_ROOT = "only root can: `sudo vfiotop watch --keep`"


class RecordKeeper:
    """Asks through a file next to the record, which only root may write."""

    def __init__(self, record: RecordFile | None = None) -> None:
        self._record = record

    @property
    def unavailable_reason(self) -> str | None:
        return None if os.geteuid() == 0 else ONLY_ROOT

    def keep(self, pending: str) -> None:
        from tui.host.watch.record import RecordError, RecordFile  # noqa: PLC0415 - for a key only

        try:
            (self._record or RecordFile()).request_keep(pending)
        except RecordError as error:
            raise HostError(str(error)) from error
