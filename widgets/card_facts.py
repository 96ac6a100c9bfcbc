"""What a card's panel says below its graphs: its group, what is wrong with it, and why it has no
readings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tui.model import SMALL_BAR, Bar, Check, PciFunction, capital, listed
from widgets.card import Card, age_text
from widgets.card_swap import moved
from widgets.figures import short, size
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, Tone, line, width_of, wrap, wrap_rows

REBAR_FAMILIES = ("Ampere", "Ada", "Blackwell")
"""NVIDIA's families with Resizable BAR."""

COMPANIONS = {"0403": "audio", "0c03": "USB", "0c80": "UCSI"}
"""What a companion function of a card is, by its PCI class."""

_CHIP = re.compile(r"[A-Z]{2}\d{3}\w*")


# --- what needs attention ---------------------------------------------------------


def urgent(card: Card, width: int, rows: int, glyphs: Glyphs = RICH) -> list[Line]:
    """What the user must know about a card, in at most ``rows`` lines: an interrupted swap, a
    broken rule, what is not set up yet, a group that VFIO cannot claim, a driver warning."""
    found = next(_urgent(card, glyphs), None)
    if found is None or rows <= 0:
        return []
    forms, tone = found
    wrapped = (wrap(form, width, tone) for form in forms)
    fitting = (lines for lines in wrapped if len(lines) <= rows)
    return next(fitting, None) or wrap_rows(forms[-1], width, rows, tone)


def _urgent(card: Card, glyphs: Glyphs) -> Iterator[tuple[tuple[str, ...], Tone]]:
    """Each message in ever shorter forms, and its tone."""
    gpu, swap = card.gpu, card.interrupted_swap
    fail, warn = glyphs.failed, glyphs.warned
    if swap is not None:
        step = f"{min(swap.step + 1, len(swap.steps))} of {len(swap.steps)}"
        why = f": {swap.message}" if swap.message else ""
        brief = f"{warn} {swap.direction} stopped at step {step}"
        yield (f"{brief}{why}", brief), "warn"
    if gpu.role == "guest":
        for check in card.checks:
            if check.verdict == "fail":
                brief = f"{fail} {check.id}: {card.checks_key} shows why"
                long = f"{fail} {check.id}: {check.why}"
                with_key = (f"{long}. {card.checks_key} shows the fix.",) if check.fix else ()
                yield (*with_key, long, brief), "bad"
        if gpu.half_bound and swap is None and card.moving_swap is None:
            keys = {key.action: key.key for key in card.keys}
            bind, unbind = keys.get("app.bind", "b"), keys.get("app.unbind", "u")
            text = f"{warn} half bound: {bind} finishes it, {unbind} undoes it"
            yield (text, f"{warn} half bound"), "warn"
    if card.first_step is not None and card.moving_swap is None:
        yield tuple(f"{warn} {form}" for form in card.first_step), "warn"
    if gpu.role == "guest" and gpu.viability.for_guest is False and card.moving_swap is None:
        yield _blocked(card, glyphs), "bad"
    remarks = remarks_of(card)
    if remarks:
        more = f" ({len(remarks) - 1} more)" if len(remarks) > 1 else ""
        brief = f"{warn} {len(remarks)} driver warning{'s' if len(remarks) > 1 else ''}"
        yield (f"{warn} {remarks[0]}{more}", brief), "warn"


def remarks_of(card: Card) -> tuple[str, ...]:
    """The warnings that came with its reading."""
    return card.reading.remarks if card.reading is not None else ()


def _blocked(card: Card, glyphs: Glyphs) -> tuple[str, str]:
    viability, sign = card.gpu.viability, glyphs.failed
    count = len(viability.staying)
    if not count:
        return f"{_group(card)} {sign} {viability.reason or 'not viable'}", f"{_group(card)} {sign}"
    brief = f"{_group(card)} {sign} blocked by {count} device{'s' if count > 1 else ''}"
    return f"{brief}: {listed([short(b.address) for b in viability.staying])}", brief


def doubtful(checks: Sequence[Check], glyphs: Glyphs = RICH) -> Line:
    """The first rule that could not be checked."""
    found = next((check for check in checks if check.verdict == "unknown"), None)
    return line(Span(f"{glyphs.unknown} {found.id} unknown", "warn")) if found else ()


# --- why there is no reading ------------------------------------------------------


def reason_lines(card: Card, width: int, rows: int) -> list[Line]:
    """Why a card has no readings, in at most ``rows`` lines of complete sentences."""
    if card.reading is not None or card.faded or card.moving_swap is not None or rows <= 0:
        return []
    tone: Tone = "bad" if card.lost or card.gpu.owner.kind == "stuck" else "dim"
    sentences = [s for s in _reasons(card) if s]
    while True:
        lines = wrap(" ".join(sentences), width, tone)
        apart = [each for sentence in sentences for each in wrap(sentence, width, tone)]
        if len(lines) <= rows:
            return apart if 1 < len(lines) == len(apart) else lines
        if len(sentences) == 1:
            break
        sentences.pop()
    return wrap_rows(sentences[0], width, rows, tone)


def _reasons(card: Card) -> Iterator[str]:
    gpu = card.gpu
    if card.lost:
        yield _sentence(card.lost)
        return
    if gpu.asleep and gpu.owner.kind == "host":
        yield "Asleep, not woken."
    else:
        yield _sentence(gpu.no_reading or "No readings yet")
    if gpu.owner.kind == "vfio" and gpu.role == "guest":
        if card.guest:
            yield f"{card.start_key} starts {card.guest} and shows its readings."
    elif gpu.asleep or gpu.left_alone:
        yield _last(card)


def _sentence(text: str) -> str:
    return f"{capital(text).rstrip('.')}."


def _last(card: Card) -> str:
    """``Last: 33 °C, 20 W, 4 min ago.``"""
    if card.last is None or card.last_age_s is None:
        return ""
    metrics = card.last.metrics
    figures = [
        f"{value:.0f} {unit}"
        for value, unit in ((metrics.temp_c, "°C"), (metrics.power_w, "W"))
        if value is not None
    ]
    age = age_text(card.last_age_s)
    return f"Last: {', '.join([*figures, f'{age} ago'])}." if figures else ""


# --- the group --------------------------------------------------------------------


def _group(card: Card) -> str:
    function = card.gpu.function
    if "iommu_group" in function.unreadable:
        return "IOMMU group unknown"
    return "No IOMMU group" if function.iommu_group is None else f"Group {function.iommu_group}"


def group_parts(card: Card, glyphs: Glyphs = RICH, *, wide: bool = False) -> list[Line]:
    """``Group 14 ✓``, what moves with the card or what the host uses it for, and its BAR."""
    gpu, swap = card.gpu, card.moving_swap
    group = gpu.function.iommu_group
    label = line(Span(_group(card), "label"))
    if group is not None:
        label = line(Span("Group ", "label"), str(group))
    if swap is not None:
        return [(*label, Span(f" {glyphs.moving}", "warn")), line(moved(card, swap)), _rebar(card)]
    if gpu.viability.for_guest:
        label = (*label, Span(f" {glyphs.passed}", "good"))
    elif gpu.viability.for_guest is None and gpu.role == "guest":
        label = (*label, Span(f" {glyphs.unknown}", "warn"))
    return [label, _belongs(card, wide), _rebar(card), _reset(card) if wide else ()]


def group_line(card: Card, width: int, glyphs: Glyphs = RICH, *, wide: bool = False) -> Line:
    """The group's row: as many of its parts as fit."""
    label, *rest = group_parts(card, glyphs, wide=wide)
    if card.gpu.role == "guest":
        rest.append(doubtful(card.checks, glyphs))
    parts: list[Span] = list(label)
    gap = "  " if card.moving_swap is None else " "
    for part in rest:
        if part and width_of(parts) + len(gap) + width_of(part) <= width:
            parts += [Span(gap), *part]
        gap = "   "
    return tuple(parts)


def _belongs(card: Card, wide: bool) -> Line:
    gpu = card.gpu
    if gpu.role == "guest" and gpu.companions:
        names = ", ".join(f"{short(f.address)} {_kind(f, wide)}" for f in gpu.companions)
        return line(Span("moves with ", "label"), names)
    if card.integrated:
        return line(Span("shares the host's memory", "label"))
    return line(Span("drives the host's display", "label")) if gpu.function.boot_vga else ()


def _kind(function: PciFunction, wide: bool) -> str:
    chip = _CHIP.match(function.name) if wide else None
    kind = COMPANIONS.get(function.class_code[:4], "function")
    return f"{chip[0]} {kind}" if chip else kind


def _rebar(card: Card) -> Line:
    """The size of the memory BAR if Resizable BAR has enlarged it, or that it is off."""
    memory = [bar for bar in card.gpu.function.bars if _of_memory(bar)]
    largest = max((bar.size for bar in memory), default=0)
    if largest > SMALL_BAR:
        return line(Span("ReBAR ", "label"), size(largest))
    nvidia = card.gpu.nvidia
    known = largest == SMALL_BAR and nvidia is not None and nvidia.family in REBAR_FAMILIES
    return line(Span("ReBAR ", "label"), "off") if known else ()


def _of_memory(bar: Bar) -> bool:
    return bar.prefetchable and not bar.io


def _reset(card: Card) -> Line:
    resets = card.gpu.function.reset_methods
    if resets is None:
        return ()
    return line(Span("Reset ", "label"), ", ".join(resets) or "none")
