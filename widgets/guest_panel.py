"""The allowed guest in detail, and the other domains in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from textual.geometry import Size

from tui.model import Domain, Guest, GuestDevice, Verdict
from widgets.canvas import Panel
from widgets.figures import memory, percent, rate, short, uptime
from widgets.gauges import graph_lines, meter_line
from widgets.graph import RICH, Glyphs
from widgets.lines import Line, Span, Tone, fields, line, spread, wrap

LABEL = 7

STATE_TONES: dict[str, Tone] = {
    "running": "good", "blocked": "good", "paused": "warn", "in shutdown": "warn",
    "pmsuspended": "warn", "crashed": "bad", "shut off": "dim", "unknown": "warn",
}  # fmt: skip

DEVICE_TONES: dict[Verdict, Tone] = {
    "fail": "bad", "unknown": "warn", "warn": "warn", "pass": "text",
}  # fmt: skip
"""Worst first: the line may be too short for all of them."""


class GuestPanel(Panel):
    """The allowed guest, then the other domains."""

    def __init__(self, *, id: str | None = None, glyphs: Glyphs = RICH) -> None:
        super().__init__(id=id, can_focus=True)
        self._glyphs = glyphs
        self._guests: tuple[Guest, ...] = ()
        self._problem: str | None = None
        self._series: Sequence[float | None] = ()
        self._at: datetime | None = None
        self._devices: tuple[GuestDevice, ...] = ()
        self._shown: object = None

    def show(
        self,
        guests: tuple[Guest, ...],
        problem: str | None,
        series: Sequence[float | None],
        at: datetime,
        devices: tuple[GuestDevice, ...] = (),
    ) -> None:
        """Draw ``guests`` (the allowed one first) as of ``at``.

        ``problem`` is why they cannot be read; ``series`` is the allowed guest's CPU load in
        percent; ``devices`` are the host devices that it takes, with their verdicts.
        """
        allowed_up = [uptime(g.domain.started_at, at) for g in guests if g.allowed]
        shown = (guests, problem, series, allowed_up, devices)
        if shown == self._shown:
            return
        self._shown = shown
        self._guests, self._problem, self._series, self._at = guests, problem, series, at
        self._devices = devices
        allowed = next((g.domain.name for g in guests if g.allowed), None)
        self.set_titles(f"Guest · {allowed}" if allowed else "Guests")
        self._draw()

    def _draw(self) -> None:
        if self._at is None or self.room.width <= 0:
            return
        if self._problem is not None:
            self.paint(wrap(self._problem, self.room.width, "warn"))
            return
        self.paint(
            guest_lines(
                self._guests,
                self._series,
                self._at,
                self.room,
                self._glyphs,
                devices=self._devices,
            )
        )


def guest_lines(
    guests: tuple[Guest, ...],
    series: Sequence[float | None],
    at: datetime,
    room: Size,
    glyphs: Glyphs = RICH,
    *,
    devices: Sequence[GuestDevice] = (),
) -> list[Line]:
    """The panel's lines; if no guest is allowed yet, all domains are listed."""
    width, height = room
    if not guests:
        return wrap("No domain is defined in libvirt.", width, "dim")
    allowed = [guest.domain for guest in guests if guest.allowed]
    others = [guest.domain for guest in guests if not guest.allowed]
    lines: list[Line] = []
    for domain in allowed:
        lines += _domain_lines(domain, at, width, glyphs, devices)
    tail = [_other_line(domain, width, glyphs) for domain in others]
    spare = height - len(lines)
    if allowed:
        rows = max(0, spare - len(tail))
        lines += graph_lines(series, rows, width, glyphs) or [()] * rows
        # The details have what does not fit; the other domains are cut first.
        return [*lines, *tail][:height]
    return tail


def _domain_lines(
    domain: Domain, at: datetime, width: int, glyphs: Glyphs, devices: Sequence[GuestDevice]
) -> list[Line]:
    state = Span(
        f"{glyphs.running if domain.active else glyphs.stopped} {domain.state}",
        STATE_TONES[domain.state],
    )
    up = uptime(domain.started_at, at) if domain.active else ""
    lines = [spread(line(state, "  ", Span(up, "dim")), line(agent(domain)), width)]
    if domain.problem:
        lines += wrap(domain.problem, width, "warn")
    used = memory(domain.memory_used_mib, domain.memory_mib)
    lines += [
        meter_line("CPU", domain.cpu_pct, _cpu(domain), width, glyphs, label_cells=LABEL),
        meter_line("Memory", _used(domain), used, width, glyphs, label_cells=LABEL),
    ]
    pairs: list[tuple[str, Line]] = [
        ("Disk", _two_rates("r", domain.disk_read_bps, "w", domain.disk_write_bps)),
        ("Net", _two_rates("rx", domain.net_rx_bps, "tx", domain.net_tx_bps)),
    ]
    lines += fields(pairs, width, 34, LABEL)
    pci = line(Span(f"{'PCI':<{LABEL}}", "label"), *_devices(domain, devices))
    # Near the top, a device that forbids the start is not cut off in a small panel.
    forbids = any(device.verdict == "fail" for device in devices)
    lines.insert(1 if forbids else len(lines), pci)
    return lines


def _devices(domain: Domain, judged: Sequence[GuestDevice]) -> Line:
    """The PCI functions that a domain takes; those with a reason against a start come first,
    with it."""
    reasons = {dev.address: dev for dev in judged if dev.short}
    order = list(DEVICE_TONES)
    worst = sorted(reasons.values(), key=lambda dev: order.index(dev.verdict))
    spans = [Span(f"{short(d.address)} {d.short}", DEVICE_TONES[d.verdict]) for d in worst]
    fine = [short(a) for a in domain.addresses if a not in reasons]
    if fine or not spans:
        spans.append(Span(" ".join(fine) or "none"))
    return tuple(part for span in spans for part in (span, Span("  ")))[:-1]


def _two_rates(a: str, first: float | None, b: str, second: float | None) -> Line:
    return line(Span(f"{a} ", "dim"), f"{rate(first):<9} ", Span(f"{b} ", "dim"), rate(second))


def _cpu(domain: Domain) -> str:
    count = f" of {domain.vcpus} vCPU" if domain.vcpus else ""
    return f"{percent(domain.cpu_pct)}{count}"


def _used(domain: Domain) -> float | None:
    if domain.memory_used_mib is None or not domain.memory_mib:
        return None
    return 100 * domain.memory_used_mib / domain.memory_mib


def agent(domain: Domain) -> Span:
    """Whether the guest agent answers."""
    if not domain.active:
        return Span("")
    if domain.agent is None:
        return Span("no agent", "dim")
    return Span("agent", "good") if domain.agent else Span("agent silent", "warn")


def _other_line(domain: Domain, width: int, glyphs: Glyphs) -> Line:
    mark = glyphs.running if domain.active else glyphs.stopped
    tone = STATE_TONES[domain.state]
    load = percent(domain.cpu_pct).lstrip() if domain.active else ""
    devices = f"{len(domain.hostdevs)} hostdev" if domain.hostdevs else ""
    return spread(
        line(Span(f"{mark} ", tone), f"{domain.name}  ", Span(devices, "dim")),
        line(Span(f"{domain.state}{' ' if load else ''}", tone), load),
        width,
    )


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import AT, GUESTS, LOAD

    preview(GuestPanel(), lambda widget: widget.show(GUESTS, None, LOAD, AT))
