"""The last reading of every source."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from tui.model.facts import HostFacts
from tui.model.guests import AgentReading, Guests
from tui.model.metrics import DrmReading, NvmlReading
from tui.model.pci import Inventory
from tui.model.swaps import Swap
from tui.model.unavailable import NOT_READ_YET, Unavailable
from tui.model.vitals import Vitals

SourceName = Literal["facts", "pci", "vitals", "nvml", "drm", "guests", "agent", "swap"]

Reading = (
    HostFacts | Inventory | Vitals | NvmlReading | DrmReading | Guests | AgentReading | Swap
    | Unavailable
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of one source. Equal readings compare equal, whenever they were taken."""

    source: SourceName
    reading: Reading
    taken_at: datetime = field(compare=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last reading of each source, or why there is none."""

    facts: HostFacts | Unavailable = NOT_READ_YET
    pci: Inventory | Unavailable = NOT_READ_YET
    vitals: Vitals | Unavailable = NOT_READ_YET
    nvml: NvmlReading | Unavailable = NOT_READ_YET
    drm: DrmReading | Unavailable = NOT_READ_YET
    guests: Guests | Unavailable = NOT_READ_YET
    agent: AgentReading | Unavailable = NOT_READ_YET
    swap: Swap | Unavailable = NOT_READ_YET

    def updated(self, sample: Sample) -> Snapshot:
        """The snapshot with the sample's reading in place of its source's last one."""
        change: dict[str, Any] = {sample.source: sample.reading}
        return replace(self, **change)
