"""One GPU: what it is, who owns it, how busy it is."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from tui.model import NOT_SEEN, CardReading, Check, Gpu, Metrics
from widgets.canvas import Panel
from widgets.figures import (
    ago,
    lanes,
    link,
    memory,
    model_name,
    number,
    percent,
    ratio,
    short,
    size,
    temperature,
)
from widgets.gauges import graph_lines, history_line, meter_line
from widgets.graph import RICH, Glyphs
from widgets.lines import DASH, Line, Span, Tone, fields, fit, line, spread, width_of, wrap
from widgets.viability_lines import LABEL, viability_lines

COLUMN = 18
"""Cells of a label-and-value pair."""

LATE_S = 2.0
"""Seconds from which a reading is marked as old, unless the caller overrides it."""

GUEST_LATE_S = 30.0
"""The same for readings from a guest, which come less often."""

AGE_STEP_S = 10
"""The step in seconds in which the age of a guest's reading is shown."""

NO_ORIGIN = Span("")

ROLE_TITLES = {"guest": "Guest GPU", "host": "Host GPU", "other": "GPU"}

OWNER_TONES: dict[str, Tone] = {"host": "good", "vfio": "accent", "none": "warn", "unknown": "warn",
                                "moving": "warn", "stuck": "bad"}  # fmt: skip


class GpuPanel(Panel):
    """The panel of one GPU; showing equal values redraws nothing."""

    def __init__(self, *, id: str | None = None, glyphs: Glyphs = RICH) -> None:
        super().__init__(id=id, can_focus=True)
        self._glyphs = glyphs
        self.gpu: Gpu | None = None
        self._series: Sequence[float | None] = ()
        self._origin = NO_ORIGIN

    def show(
        self,
        gpu: Gpu,
        series: Sequence[float | None],
        checks: Sequence[Check] = (),
        *,
        age_s: float | None = None,
        late_s: float = LATE_S,
    ) -> None:
        """Draw ``gpu``.

        ``series`` is its utilisation in percent, newest last; ``checks`` are the live checks of
        NVIDIA's rules. ``age_s`` is the age of its reading, shown from ``late_s``.
        """
        title = f"{ROLE_TITLES[gpu.role]} · {model_name(gpu.function.name)}"
        words, tone = ("", "")
        if gpu.role == "guest":
            words, tone = rules_summary(checks, self._glyphs)
        self.set_titles(
            title, f"{words} · {short(gpu.address)}" if words else short(gpu.address), tone
        )
        where = origin(gpu.reading, age_s, late_s)
        if (gpu, series, where) == (self.gpu, self._series, self._origin):
            return
        self.gpu, self._series, self._origin = gpu, series, where
        self._draw()

    def _draw(self) -> None:
        if self.gpu is not None and self.room.width > 0:
            self.paint(gpu_lines(self.gpu, self._series, self.room, self._glyphs, self._origin))


def origin(reading: CardReading | None, age_s: float | None, late_s: float) -> Span:
    """The source and age of a reading, if it is from a guest or old.

    The age of a guest's reading is shown in steps, so it does not change while readings keep
    coming.
    """
    if reading is None or reading.problem is not None or age_s is None:
        return NO_ORIGIN
    if reading.source == "guest-agent":
        tone: Tone = "warn" if age_s >= max(late_s, GUEST_LATE_S) else "dim"
        step = AGE_STEP_S * (max(age_s, 0.0) // AGE_STEP_S)
        return Span(f"from guest · {ago(step) if step else f'<{AGE_STEP_S} s'}", tone)
    return Span(f"{ago(age_s)} old", "warn") if age_s >= late_s else NO_ORIGIN


def rules_summary(checks: Sequence[Check], glyphs: Glyphs = RICH) -> tuple[str, str]:
    """NVIDIA's rules in a few words and their style: the worst verdict counts."""
    for verdict, word, tone in (
        ("fail", "fails", "bold $text-error"), ("unknown", "unknown", "$text-warning")
    ):  # fmt: skip
        worst = next((check for check in checks if check.verdict == verdict), None)
        if worst is not None:
            return f"{worst.id} {word}", tone
    return (f"R465 rules {glyphs.done}", "") if checks else ("", "")


def gpu_lines(
    gpu: Gpu,
    series: Sequence[float | None],
    room: Size,
    glyphs: Glyphs = RICH,
    where: Span = NO_ORIGIN,
) -> list[Line]:
    """The panel's lines: the owner, the readings or what sysfs knows, and a graph in the rest.

    ``where`` is the ``origin`` of the readings.
    """
    width, height = room
    lines = [owner_line(gpu, width, glyphs, where)]
    reading = gpu.reading
    if reading is not None and reading.problem is None:
        lines += _metric_lines(reading.metrics, width, glyphs)
        verdict = viability_lines(gpu, width, min(height // 4, height - len(lines)))
        tail = [*_remark_lines(reading, width), *_process_lines(reading, width)]
    else:
        verdict = viability_lines(gpu, width, height // 4)
        lines += _static_lines(gpu, width, height - len(lines) - max(1, len(verdict)))
        tail = []
    tail = [*verdict, *tail]
    lines, tail = lines[:height], tail[: max(0, height - len(lines))]
    rows = height - len(lines) - len(tail)
    if rows > 0:
        lines += graph_lines(series, rows, width, glyphs) or [()] * rows
    elif reading is not None and reading.problem is None and any(v is not None for v in series):
        load = percent(reading.metrics.util_pct)
        lines[1:2] = [history_line("GPU", series, load, width, glyphs, label_cells=LABEL)]
    return [*lines, *tail]


def owner_line(gpu: Gpu, width: int, glyphs: Glyphs, where: Span = NO_ORIGIN) -> Line:
    """The card's owner and driver on the left; the origin of its readings or its power state on
    the right."""
    kind = gpu.owner.kind
    tone: Tone = "accent" if kind == "guest" else OWNER_TONES.get(kind, "text")
    words = {
        "guest": f"in guest {gpu.owner.guest}",
        "host": "host",
        "vfio": "free for a guest",
        "none": "no driver",
        "unknown": "owner unknown",
        "moving": "moving",
        "stuck": "stuck",
    }[kind]
    mark = glyphs.stopped if kind in ("none", "unknown") else glyphs.running
    right = line(where) if where.text else _power(gpu)
    left = line(Span(f"{mark} {words}  ", tone), Span(gpu.function.driver or "", "dim"))
    if width_of((*left, *right)) >= width:
        left = left[:1]
    return spread(left, right, width)


def _power(gpu: Gpu) -> Line:
    if gpu.asleep:
        return line(Span("asleep", "dim"))
    state = gpu.vitals.power_state if gpu.vitals else None
    return line(Span(state, "dim")) if state else ()


def _metric_lines(metrics: Metrics, width: int, glyphs: Glyphs) -> list[Line]:
    used = None
    if metrics.mem_used_mib is not None and metrics.mem_total_mib:
        used = 100 * metrics.mem_used_mib / metrics.mem_total_mib
    load, vram = percent(metrics.util_pct), memory(metrics.mem_used_mib, metrics.mem_total_mib)
    lines = [
        meter_line("GPU", metrics.util_pct, load, width, glyphs, label_cells=LABEL),
        meter_line("VRAM", used, vram, width, glyphs, label_cells=LABEL),
    ]
    pairs: list[tuple[str, Line]] = [
        ("Temp", line(temperature(metrics.temp_c))),
        ("Fan", line(number(metrics.fan_pct, "%"))),
        ("Power", line(ratio(metrics.power_w, metrics.power_limit_w, "W"))),
        ("Clock", line(number(metrics.clock_mhz, "MHz"))),
        ("Mem", line(number(metrics.mem_clock_mhz, "MHz"))),
        ("PCIe", _pcie(metrics)),
        ("Enc", line(number(metrics.enc_pct, "%"))),
        ("Dec", line(number(metrics.dec_pct, "%"))),
        ("Limit", _throttle(metrics)),
    ]
    return lines + fields(pairs, width, COLUMN, LABEL)


def _pcie(metrics: Metrics) -> Line:
    """The current and the maximum link: ``1x16/4x16`` is PCIe 1.0 x16 of 4.0 x16."""
    now = lanes(metrics.pcie_gen, metrics.pcie_width)
    most = lanes(metrics.pcie_gen_max, metrics.pcie_width_max)
    return line(now, Span(f"/{most}", "dim"))


def _throttle(metrics: Metrics) -> Line:
    if metrics.throttle is None:
        return line(Span(DASH, "dim"))
    if not metrics.throttle:
        return line("none")
    return line(Span(", ".join(metrics.throttle), "warn"))


def _process_lines(reading: CardReading, width: int) -> list[Line]:
    if not reading.processes or all(p.what == NOT_SEEN for p in reading.processes):
        return []
    seen = [process for process in reading.processes if process.what != NOT_SEEN]
    shown = sorted(seen, key=lambda p: -(p.memory_mib or 0))
    parts = [
        process.name if process.memory_mib is None else f"{process.name} {process.memory_mib:.0f} M"
        for process in shown
    ]
    return [line(Span(f"{'Used':<{LABEL}}", "label"), Span(", ".join(parts), "dim"))]


def _remark_lines(reading: CardReading, width: int) -> list[Line]:
    """The first remark on one line; the details show all of them in full."""
    if not reading.remarks:
        return []
    more = len(reading.remarks) - 1
    text = f"from guest{f' (+{more})' if more else ''}: {reading.remarks[0]}"
    return [fit(line(Span(f"{'Note':<{LABEL}}", "label"), Span(text, "warn")), width)]


def _static_lines(gpu: Gpu, width: int, height: int) -> list[Line]:
    """A card without readings: the reason, then what sysfs knows, in ``height`` lines."""
    problem = gpu.reading.problem if gpu.reading else None
    tone: Tone = "bad" if problem or gpu.owner.kind == "stuck" else "dim"
    lines = wrap(problem or gpu.no_reading or "", width, tone)
    function = gpu.function
    now = link(gpu.vitals.link if gpu.vitals else None)
    resets = function.reset_methods
    pairs: list[tuple[str, Line]] = [
        ("PCIe", line(now, Span(f"/{link(function.link_max)}", "dim"))),
        ("Reset", line(DASH if resets is None else " ".join(resets) or "none")),
        ("BARs", line(" ".join(size(bar.size) for bar in function.bars) or DASH)),
        ("Model", line(_model(gpu))),
    ]
    lines += fields(pairs, width, max(COLUMN + 10, width // 2), LABEL)
    companions = [
        spread(
            line(
                Span(f"{'With' if index == 0 else '':<{LABEL}}", "label"),
                Span(f"{short(function.address)} ", "label"),
                function.name,
            ),
            line(Span(function.driver or "no driver", "dim")),
            width,
        )
        for index, function in enumerate(gpu.companions)
    ]
    return [*lines, *companions][: max(height, 1)]


def _model(gpu: Gpu) -> str:
    """Family, brand and form by the card's ids, or the bare ids."""
    nvidia = gpu.nvidia
    if nvidia is None:
        return f"{gpu.function.vendor}:{gpu.function.device}"
    brands = {"geforce": "GeForce", "titan": "TITAN", "pro": "professional"}
    words = (nvidia.family, brands.get(nvidia.brand, nvidia.brand), nvidia.form)
    return " ".join(word for word in words if word)


def compact_line(gpu: Gpu, width: int, where: Span = NO_ORIGIN) -> Line:
    """A GPU on one line; ``where`` is the ``origin`` of its readings."""
    reading = gpu.reading
    metrics = reading.metrics if reading and reading.problem is None else Metrics()
    left = line(
        Span(f"{short(gpu.address)}  ", "label"),
        f"{model_name(gpu.function.name)}  ",
        Span(str(gpu.owner), "dim"),
        Span(f"  {where.text}" if where.text else "", where.tone),
    )
    right = line(
        Span(percent(metrics.util_pct), "strong"), "  ",
        f"{memory(metrics.mem_used_mib, metrics.mem_total_mib):>14}", "  ",
        temperature(metrics.temp_c),
    )  # fmt: skip
    return spread(left, right, width)


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import CHECKS, GUEST_GPU, LOAD

    preview(GpuPanel(), lambda widget: widget.show(GUEST_GPU, LOAD, CHECKS, age_s=3.0))
