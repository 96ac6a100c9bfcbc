"""The figures of a card: its four bars, and a row with everything else that was read.

A row keeps its place: a value that is missing now is a dash. Only a card that can never have a
value has no row for it.
"""

from __future__ import annotations

from typing import NamedTuple

from tui.model import CardSeries, Metrics
from widgets.bars import bar, bar_line
from widgets.card import WIDE, Card
from widgets.card_graphs import RAMPS, columns
from widgets.figures import pcie
from widgets.glyphs import RICH, Glyphs
from widgets.lines import DASH, Line, Span, faded, join, line, pad, width_of

ROWS: tuple[CardSeries, ...] = ("load", "vram", "power", "temp")
"""The series with a bar, in order. In two columns, the order is down each column."""

LABELS: dict[CardSeries, str] = {
    "load": "Load", "vram": "VRAM", "power": "Power", "temp": "Temp", "clock": "Clock",
}  # fmt: skip

POWER_REASONS, HEAT_REASONS = ("power cap", "power brake"), ("thermal", "hw thermal")
"""The throttle reasons at the power limit, and at the temperature limit."""

PAIR_HEAD = 11
"""Width of label and figure, in cells, where two values share a row."""


# --- the values -------------------------------------------------------------------


class Value(NamedTuple):
    """A value as a bar shows it; ``short`` is its figure in fewer cells."""

    figure: str | None
    short: str | None
    share: float | None
    limit: str
    held: bool = False


def value(name: CardSeries, m: Metrics, limits: Metrics) -> Value:
    """What the bar of a series shows. A limit from an earlier reading stands in for a missing
    one."""
    held = m.throttle or ()
    if name == "load":
        clock = f"{m.clock_mhz:.0f} MHz" if m.clock_mhz is not None else ""
        figure = _figure(m.util_pct, "%")
        return Value(figure, figure, _share(m.util_pct, 100.0), clock)
    if name == "vram":
        total = m.mem_total_mib or limits.mem_total_mib
        used = m.mem_used_mib
        brief = None if used is None else f"{_gib(used)} G"
        long = None if used is None else f"{_gib(used)} GiB"
        return Value(long, brief, _share(used, total), f"{_gib(total)} GiB" if total else "")
    if name == "power":
        most = m.power_limit_w or limits.power_limit_w
        figure = _figure(m.power_w, "W")
        at_limit = any(reason in POWER_REASONS for reason in held)
        return Value(figure, figure, _share(m.power_w, most), _figure(most, "W") or "", at_limit)
    most = m.temp_limit_c or limits.temp_limit_c
    figure = _figure(m.temp_c, "°C")
    at_limit = any(reason in HEAT_REASONS for reason in held)
    limit = _figure(most, "°C") or ""
    return Value(figure, figure, _share(m.temp_c, most or 100.0), limit, at_limit)


def _figure(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.0f} {unit}"


def _gib(mib: float) -> str:
    gib = mib / 1024
    return f"{gib:.1f}" if gib < 99.95 else f"{gib:.0f}"


def _share(value: float | None, limit: float | None) -> float | None:
    return value / limit if value is not None and limit else None


# --- the bars ---------------------------------------------------------------------


def bar_names(card: Card) -> tuple[CardSeries, ...]:
    """The series that have a bar."""
    return tuple(name for name in ROWS if card.gives(name))


def bar_row(name: CardSeries, card: Card, width: int, glyphs: Glyphs = RICH) -> Line:
    """One bar. Without a limit there is only the figure; a ``!`` after the limit says that the
    card is throttled by it."""
    found = value(name, card.metrics, card.limits)
    head, tail = columns(width)
    no_scale = found.share is None and found.figure is not None
    drawn = bar_line(
        LABELS[name], found.figure, found.share, found.limit, width,
        ramp=RAMPS[name], glyphs=glyphs, head=head, tail=tail,
    )  # fmt: skip
    if no_scale:
        drawn = pad(drawn[:2], width)
    elif found.held and tail and len(found.limit) + 2 <= tail:
        limit = Span(f" {found.limit} ", "label")
        drawn = pad((*drawn[:-1], limit, Span(glyphs.warned, "warn")), width)
    return faded(drawn) if card.faded else drawn


def bars(card: Card, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """A row for each value, or two side by side in a wide panel."""
    names = bar_names(card)
    if width < WIDE:
        return [bar_row(name, card, width, glyphs) for name in names]
    column = (width - 2) // 2
    half = (len(names) + 1) // 2
    left = [bar_row(name, card, column, glyphs) for name in names[:half]]
    right = [bar_row(name, card, column, glyphs) for name in names[half:]]
    right += [()] * (len(left) - len(right))
    return [(*one, Span("  "), *other) for one, other in zip(left, right, strict=True)]


def pairs(card: Card, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """Two values in each row, with figure and bar."""
    names = bar_names(card)
    cells = (width - width // 2, width // 2 - 1)
    rows = [names[at : at + 2] for at in range(0, len(names), 2)]
    return [
        join((_half(n, card, w, glyphs) for n, w in zip(row, cells, strict=False)), " ")
        for row in rows
    ]


def _half(name: CardSeries, card: Card, width: int, glyphs: Glyphs) -> Line:
    found = value(name, card.metrics, card.limits)
    shown = found.short if found.short is not None else DASH
    gap = " " * max(1, PAIR_HEAD - len(LABELS[name]) - len(shown))
    room = max(0, width - PAIR_HEAD - 1)
    drawn = line(
        Span(f"{LABELS[name]}{gap}", "label"),
        Span(shown, "strong" if found.short is not None else "dim"), " ",
        *bar(found.share, room, RAMPS[name], glyphs),
    )  # fmt: skip
    return faded(drawn) if card.faded else drawn


# --- the row of further figures ---------------------------------------------------

DROPPED_FIRST = ("Memory", "Dec", "PCIe", "Stream", "Enc", "Fan")


def info_line(card: Card, width: int) -> Line:
    """Fan, memory clock, encoder, PCIe link. Values that were not read are left out. Values that do
    not fit are dropped, never cut, the memory clock first."""
    wide = width >= WIDE
    fields = _fields(card, wide=wide, short=False)
    for gap in ("   ", "  "):
        if width_of(found := join(fields.values(), gap)) <= width:
            return faded(found) if card.faded else found
    shorter = _fields(card, wide=wide, short=True)
    for name in DROPPED_FIRST:
        fields.pop(name, None)
        shorter.pop(name, None)
        for each in (fields, shorter):
            if width_of(found := join(each.values())) <= width:
                return faded(found) if card.faded else found
    return ()


def _fields(card: Card, *, wide: bool, short: bool) -> dict[str, Line]:
    m = card.metrics
    found = {
        "Fan": _figure(m.fan_pct, "%"),
        "Memory": _figure(m.mem_clock_mhz, "MHz"),
        "Enc": _figure(m.enc_pct, "%"),
        "Stream": _figure(m.enc_fps, "fps") if m.enc_sessions else None,
        "Dec": _figure(m.dec_pct, "%") if wide else None,
        "PCIe": _link(card, short=short),
    }
    fields = {n: line(Span(f"{n} ", "label"), shown) for n, shown in found.items() if shown}
    reasons = m.throttle
    if reasons is not None and not wide:
        reasons = tuple(r for r in reasons if r not in (*POWER_REASONS, *HEAT_REASONS)) or None
    if reasons is not None:
        words = Span(", ".join(reasons), "warn") if reasons else Span("nothing")
        fields["Held"] = line(Span("Held back by ", "label"), words)
    return fields


def _link(card: Card, *, short: bool) -> str | None:
    """``4.0 x16``, or ``4.0 x4 of x16`` where the slot has fewer lanes than the card."""
    m, function = card.metrics, card.gpu.function
    gen, lanes, most = m.pcie_gen, m.pcie_width, m.pcie_width_max
    now = card.gpu.vitals.link if card.gpu.vitals else None
    if gen is None and lanes is None and card.reading is not None and now is not None:
        gen, lanes = now.generation, now.width
        most = function.link_max.width if function.link_max else None
    if card.integrated or (gen is None and lanes is None):
        return None
    reduced = lanes is not None and most is not None and lanes < most
    return pcie(gen, lanes) + ((f"/{most}" if short else f" of x{most}") if reduced else "")
