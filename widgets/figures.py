"""Numbers for people to read: short, of steady width, and a dash for a missing one."""

from __future__ import annotations

from datetime import datetime, timedelta

from tui.model import Link
from widgets.lines import DASH, Span, Tone

WARM, HOT = 80, 90
"""Degrees Celsius from which a temperature is marked. GeForce cards throttle between 83 and
90."""


def number(value: float | None, unit: str, digits: int = 0) -> Span:
    """``12 %``, or a dash."""
    return Span(DASH, "dim") if value is None else Span(f"{value:.{digits}f} {unit}")


def percent(value: float | None) -> str:
    """`` 37%``, always four cells."""
    return f"{DASH:>4}" if value is None else f"{min(value, 999):3.0f}%"


def temperature(value: float | None) -> Span:
    """``54 °C``, marked from ``WARM`` and from ``HOT``."""
    if value is None:
        return Span(DASH, "dim")
    tone: Tone = "bad" if value >= HOT else "warn" if value >= WARM else "text"
    return Span(f"{value:.0f} °C", tone)


def memory(used: float | None, total: float | None) -> str:
    """MiB as GiB: ``1.2/12.0 GiB``."""
    if used is None and total is None:
        return DASH
    first = DASH if used is None else f"{used / 1024:.1f}"
    return f"{first} GiB" if total is None else f"{first}/{total / 1024:.1f} GiB"


def size(count: int | None) -> str:
    """Bytes in whole binary units: ``256 MiB``."""
    if count is None:
        return DASH
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} TiB"


def rate(value: float | None) -> str:
    """Bytes per second in decimal units, at most eight cells: ``1.2 MB/s``."""
    if value is None:
        return DASH
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return (
                f"{value:.0f} {unit}/s" if value >= 9.95 or unit == "B" else f"{value:.1f} {unit}/s"
            )
        value /= 1000
    return f"{value:.1f} GB/s" if value < 9.95 else f"{value:.0f} GB/s"


def rates(first: float | None, second: float | None) -> tuple[str, str, str]:
    """Two rates in the larger one's unit, at most three cells each: ``12``, ``1.8``, ``MB``."""
    largest = max(first or 0.0, second or 0.0)
    size = 1.0
    for unit in ("B", "kB", "MB", "GB"):
        if largest / size < 999.5 or unit == "GB":
            break
        size *= 1000
    return _in_unit(first, size), _in_unit(second, size), unit


def _in_unit(value: float | None, size: float) -> str:
    if value is None:
        return DASH
    return (
        f"{value / size:.0f}"
        if value == 0 or size == 1 or value / size >= 9.95
        else (f"{value / size:.1f}")
    )


def pcie(gen: int | None, width: int | None) -> str:
    """A PCIe link: ``4.0 x16``."""
    if gen is None and width is None:
        return DASH
    return f"{DASH if gen is None else f'{gen}.0'} x{DASH if width is None else width}"


def lanes(gen: int | None, width: int | None) -> str:
    """A PCIe link in the fewest cells: ``4x16``."""
    return f"{DASH if gen is None else gen}x{DASH if width is None else width}"


def link(value: Link | None) -> str:
    """A link in the form of ``pcie``."""
    return DASH if value is None else pcie(value.generation, value.width)


def uptime(since: datetime | None, at: datetime) -> str:
    """``2 h 05 min``: in whole minutes, so that it changes once a minute and not on every tick."""
    if since is None:
        return DASH
    minutes = max(0, (at - since) // timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def ago(seconds: float) -> str:
    """An age: ``3 s``, ``2 min``, ``5 h``; in whole units, so that it rarely changes."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h"


def short(address: str) -> str:
    """A PCI address as people write it: without the domain 0000."""
    return address.removeprefix("0000:")


def model_name(name: str) -> str:
    """The marketing name within a pci.ids name such as ``AD102 [GeForce RTX 4090]``."""
    _, bracket, rest = name.partition("[")
    inner, closing, _ = rest.partition("]")
    return inner.strip() if bracket and closing and inner.strip() else name
