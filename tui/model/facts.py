"""What does not change while the host runs."""

from __future__ import annotations

from msgspec import Struct

from tui.model.cpus import CpuTopology


class HostFacts(Struct, frozen=True):
    """The host's name and its kernel release, from uname(2).

    ``chassis`` is the chassis type from the firmware (SMBIOS, DSP0134, 7.4.1). ``captured``:
    this is a captured host. ``cpus`` is ``None`` if the processor's layout is not known.
    """

    name: str
    kernel: str
    chassis: int | None = None
    captured: bool = False
    cpus: CpuTopology | None = None
