"""Everything known about one device or guest, as labels and values."""

from __future__ import annotations

from datetime import datetime

from tui.model import CardUsers, Gpu, Guest, HostView, Metrics, PciFunction
from widgets.canvas import Panel
from widgets.figures import ago, link, memory, number, pcie, rate, ratio, short, size, uptime
from widgets.guest_panel import agent
from widgets.lines import DASH, Line, Span, Tone, line, pad, wrap
from widgets.used_by import used_by_lines

LABEL = 18


class DetailsPanel(Panel):
    """The details of one subject; scrolls."""

    def __init__(self) -> None:
        super().__init__(can_focus=True)
        self._shown: tuple[str, HostView, datetime, CardUsers | None] | None = None
        self._name: str | None = None

    def show(
        self, subject: str, view: HostView, at: datetime, users: CardUsers | None = None
    ) -> None:
        """Draw what ``view`` knows about ``subject`` (an address or a domain's UUID) as of
        ``at``, and the ``users`` of a GPU."""
        guest = _guest_of(subject, view)
        if guest is not None:
            self._name = guest.domain.name
        self._shown = (subject, view, at, users)
        self.set_titles(self._name or short(subject))
        self._draw()

    def _draw(self) -> None:
        if self._shown is not None and self.room.width > 0:
            self.paint(details_lines(*self._shown, self.room.width, name=self._name))


def details_lines(
    subject: str,
    view: HostView,
    at: datetime,
    users: CardUsers | None,
    width: int,
    *,
    name: str | None = None,
) -> list[Line]:
    """The lines for an address or a domain's UUID.

    If the subject is gone, one sentence says so; ``name`` is the name that a domain had.
    """
    gpu = view.gpu(subject)
    function = next((f for g in view.groups for f in g.functions if f.address == subject), None)
    guest = _guest_of(subject, view)
    if gpu is not None:
        used_by = [(), *used_by_lines(users, width)] if users is not None else []
        function_lines = _function(gpu.function, width)
        return [*_gpu(gpu, width), *used_by, (), *_readings(gpu, at, width), (), *function_lines]
    if function is not None:
        return _function(function, width)
    if guest is not None:
        return _guest(guest, at, width)
    return wrap(f"{name or short(subject)} no longer exists.", width, "warn")


def _guest_of(subject: str, view: HostView) -> Guest | None:
    return next((g for g in view.guests if g.domain.uuid == subject), None)


def _row(label: str, value: str | Span | None, width: int) -> list[Line]:
    """A label and its value, which wraps in its own column."""
    if value is None or value == "":
        value = Span(DASH, "dim")
    span = value if isinstance(value, Span) else Span(value)
    first, *rest = wrap(span.text, max(width - LABEL, 8), span.tone) or [()]
    lines = [(*pad(line(Span(label, "label")), LABEL), *first)]
    return lines + [line(" " * LABEL, *more) for more in rest]


def _heading(text: str) -> Line:
    return line(Span(text, "accent"))


def _gpu(gpu: Gpu, width: int) -> list[Line]:
    nvidia = gpu.nvidia
    lines = [_heading("GPU"), *_row("Role", gpu.role, width), *_row("Owner", str(gpu.owner), width)]
    if nvidia is not None:
        lines += _row("Family", nvidia.family or "unknown", width)
        by_id = " (from the PCI id; the name has none)" if nvidia.brand_by_id else ""
        lines += _row("Brand", f"{nvidia.brand}{by_id}", width)
        lines += _row("Form", nvidia.form or "unknown", width)
    viability = gpu.viability
    tone: Tone = {True: "good", False: "bad", None: "warn"}[viability.for_guest]  # type: ignore[assignment]
    words = {True: "viable", False: "not viable", None: "viability unknown"}
    why = f": {viability.reason}" if viability.reason and not viability.for_guest else ""
    lines += _row("Passthrough", Span(words[viability.for_guest] + why, tone), width)
    lines += _row("Moves", " ".join(short(a) for a in viability.moves), width)
    if viability.moved_at_start:
        moved = " ".join(short(a) for a in viability.moved_at_start)
        lines += _row("With guest", f"{moved}, moved when it starts", width)
    for blocker in viability.staying:
        lines += _row(
            "Blocked by", Span(f"{short(blocker.address)}: {blocker.reason}", "bad"), width
        )
    if viability.fix and not viability.for_guest:
        lines += _row("Ways out", viability.fix, width)
    return lines


def _readings(gpu: Gpu, at: datetime, width: int) -> list[Line]:
    reading = gpu.reading
    if reading is None:
        return [_heading("Readings"), *_row("None", gpu.no_reading, width)]
    if reading.problem:
        label = "Lost" if reading.lost else "None"
        return [_heading("Readings"), *_row(label, Span(reading.problem, "bad"), width)]
    if reading.source == "guest-agent":
        reported_at = reading.reported_at or at
        where = f"from guest, {ago((at - reported_at).total_seconds())} ago"
    else:
        where = f"({reading.source})"
    rows = [_row("Remark", Span(remark, "warn"), width) for remark in reading.remarks]
    remarks = [each for row in rows for each in row]
    return [_heading(f"Readings {where}"), *remarks, *_metrics(reading.metrics, width)]


def _metrics(metrics: Metrics, width: int) -> list[Line]:
    throttle = metrics.throttle
    rows: list[tuple[str, str | Span]] = [
        ("Load", number(metrics.util_pct, "%")),
        ("Memory load", number(metrics.mem_util_pct, "%")),
        ("VRAM", memory(metrics.mem_used_mib, metrics.mem_total_mib)),
        ("Temperature", number(metrics.temp_c, "°C")),
        ("Fan", number(metrics.fan_pct, "%")),
        ("Power", ratio(metrics.power_w, metrics.power_limit_w, "W")),
        ("Clock", number(metrics.clock_mhz, "MHz")),
        ("Memory clock", number(metrics.mem_clock_mhz, "MHz")),
        ("PCIe now", pcie(metrics.pcie_gen, metrics.pcie_width)),
        ("PCIe max", pcie(metrics.pcie_gen_max, metrics.pcie_width_max)),
        ("Encoder", number(metrics.enc_pct, "%")),
        ("Decoder", number(metrics.dec_pct, "%")),
        ("Throttled by", DASH if throttle is None else ", ".join(throttle) or "nothing"),
    ]
    return [each for label, value in rows for each in _row(label, value, width)]


def _function(function: PciFunction, width: int) -> list[Line]:
    resets = function.reset_methods
    group = function.iommu_group
    vga = {True: "yes", False: "no", None: None}[function.boot_vga]
    rows: list[tuple[str, str | None]] = [
        ("Address", function.address),
        ("Name", function.name),
        ("Vendor", function.vendor_name),
        ("Ids", f"{function.vendor}:{function.device}, subsystem {function.subsystem or DASH}"),
        ("Class", function.class_code),
        ("Driver", function.driver or "none"),
        ("IOMMU group", "none" if group is None else str(group)),
        ("Boot VGA", vga),
        ("Reset", None if resets is None else ", ".join(resets) or "none"),
        ("Link max", link(function.link_max)),
        ("BARs", ", ".join(f"{bar.index}: {size(bar.size)}" for bar in function.bars)),
        ("SR-IOV", _optional(function.sriov_total_vfs, "up to {} virtual functions")),
        ("NUMA node", _optional(function.numa_node, "{}")),
    ]
    lines = [_heading("PCI function")]
    lines += [each for label, value in rows for each in _row(label, value, width)]
    if function.unreadable:
        lines += _row("Unreadable", Span(", ".join(function.unreadable), "warn"), width)
    return lines


def _optional(value: int | None, text: str) -> str | None:
    return None if value is None else text.format(value)


def _guest(guest: Guest, at: datetime, width: int) -> list[Line]:
    domain = guest.domain
    rows: list[tuple[str, str | Span | None]] = [
        ("Name", domain.name),
        ("UUID", domain.uuid),
        ("State", domain.state),
        ("Up", uptime(domain.started_at, at) if domain.active else None),
        ("May use the GPU", "yes" if guest.allowed else "no"),
        ("Definition", "persistent" if domain.persistent else "transient"),
        ("Agent", agent(domain) if domain.active else None),
        ("vCPUs", _optional(domain.vcpus, "{}")),
        ("CPU", number(domain.cpu_pct, "%")),
        ("Memory", memory(domain.memory_used_mib, domain.memory_mib)),
        ("Disk read", rate(domain.disk_read_bps)),
        ("Disk write", rate(domain.disk_write_bps)),
        ("Net received", rate(domain.net_rx_bps)),
        ("Net sent", rate(domain.net_tx_bps)),
    ]
    lines = [_heading("Guest")]
    lines += [each for label, value in rows for each in _row(label, value, width)]
    for device in domain.hostdevs:
        managed = "managed by libvirt" if device.managed else "not managed"
        lines += _row("Host device", f"{short(device.address)}  {managed}", width)
    if domain.problem:
        lines += _row("Problem", Span(domain.problem, "warn"), width)
    return lines


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import AT, USERS, VIEW

    preview(DetailsPanel(), lambda widget: widget.show(VIEW.gpus[0].address, VIEW, AT, users=USERS))
