"""A guest that is off, as the lines of its panel: what it would get, and what keeps it from
starting. The panel says only what is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.geometry import Size

from tui.model import Domain, Gpu, GuestDevice, Verdict
from widgets.blocks import Ranked, fitted
from widgets.check_names import VERDICT_SIGNS
from widgets.device_names import device_name
from widgets.figures import short
from widgets.glyphs import RICH, Glyphs
from widgets.guest import GuestState
from widgets.guest_bars import gib
from widgets.guest_lines import (
    DEVICE_TONES,
    alert_lines,
    domain_lines,
    judged,
    name_in,
    others_line,
    reason_lines,
)
from widgets.guest_memory import starts_with_pages
from widgets.lines import DASH, Line, Span, Tone, faded, fit, joined_to_fit, line, width_of, wrap

SPELLED_OUT = 50
"""Minimum width in cells for labels in full."""

WHERE: dict[str, tuple[Tone, tuple[str, ...]]] = {
    "host": ("text", ("on host, bound first", "on host")),
    "vfio": ("text", ("on vfio-pci, ready", "ready")),
    "moving": ("warn", ("moving",)), "stuck": ("bad", ("stuck",)), "none": ("text", ("no driver",)),
    "unknown": ("warn", ("driver unknown",)),
}  # fmt: skip
"""Where the card is, by the kind of its owner; the longest form comes first."""


class Reason(NamedTuple):
    """A reason for or against a start: in a few words, in full, and how to fix it."""

    verdict: Verdict
    words: str
    why: str = ""
    fix: str | None = None


class Section(NamedTuple):
    """Blocks of lines with one label before the first of them."""

    label: str
    blocks: list[Ranked]


def off_lines(state: GuestState, domain: Domain, space: Size, glyphs: Glyphs = RICH) -> list[Line]:
    """The lines of a guest that is off. In a small panel each reason is a few words."""
    width, height = space
    column = 13 if width >= SPELLED_OUT else 7
    room = max(width - column, 8)
    alerts = Ranked(0, alert_lines(state, domain, width, height))
    reason = Ranked(1, reason_lines(state, width))
    others = Ranked(7, [others_line(state.others, width, glyphs)] if state.others else [])
    for full in (True, False):
        sections = [
            Section("Starts with" if column > 7 else "Starts", [Ranked(1, [_starts(domain)])]),
            Section("Card", list(_card(state, domain, room))),
            Section("Also", list(_also(state, domain))),
            Section("Ready", list(_ready(reasons(state, domain), room, glyphs, full=full))),
        ]
        blocks = [alerts, reason, *(block for each in sections for block in each.blocks), others]
        if sum(len(block.lines) for block in blocks) <= height:
            break
    told, why, *middle, last = fitted(blocks, height)
    spare = height - sum(map(len, (told, why, *middle, last)))
    if last and spare > len(state.others):
        last = domain_lines(state.others, width, glyphs)
        spare -= len(last) - 1
    lines: list[Line] = []
    left = iter(middle)
    for section in sections:
        drawn = [row for _, rows in zip(section.blocks, left, strict=False) for row in rows]
        if section.label == "Ready" and drawn and lines and spare > 0:
            lines.append(())
            spare -= 1
        names = (section.label, *[""] * len(drawn))
        lines += [
            fit(line(Span(f"{name:<{column}}", "label"), *row), width)
            for name, row in zip(names, drawn, strict=False)
        ]
    lines = [*lines, *[()] * spare, *last] if last else lines
    return [*told, *why, *(map(faded, lines) if state.stale else lines)]


def _starts(domain: Domain) -> Line:
    """What the guest gets at its start, including its vCPUs."""
    vcpus = DASH if domain.vcpus is None else str(domain.vcpus)
    memory = DASH if domain.memory_mib is None else gib(domain.memory_mib)
    return line(
        Span(vcpus, "strong"),
        Span(" vCPU   ", "text"),
        Span(memory, "strong"),
        Span(f" GiB{starts_with_pages(domain)}", "text"),
    )


def _card(state: GuestState, domain: Domain, room: int) -> Iterator[Ranked]:
    """The card and its companions, and where the card is."""
    gpu = state.gpu
    if gpu is None and state.stale:
        return
    if gpu is None or gpu.address not in domain.addresses:
        missing, verb = ("not chosen", "chooses") if gpu is None else ("not in its XML", "adds")
        key = Span(state.roles_key, "key")
        yield Ranked(3, [line(Span(missing, "warn"), "   ", key, f" {verb} it")])
        return
    in_other_guest: tuple[Tone, tuple[str, ...]] = ("bad", (f"in {gpu.owner.guest}",))
    tone, where = WHERE.get(gpu.owner.kind, in_other_guest)
    name = f"{short(gpu.address)} {device_name(gpu.function)}"
    forms = [line(name, "   ", Span(each, tone)) for each in where]
    yield Ranked(3, [next((each for each in forms if width_of(each) <= room), forms[-1])])
    mine = [f for f in gpu.functions if f.address in domain.addresses and f is not gpu.function]
    for function in mine:
        name = name_in(state, function.address)
        yield Ranked(6, [line(f"{short(function.address)} {name}".rstrip())])


def _also(state: GuestState, domain: Domain) -> Iterator[Ranked]:
    """The guest's other host devices."""
    card = {f.address for f in state.gpu.functions} if state.gpu else set()
    verdicts = {device.address: device for device in state.devices}
    for address in domain.addresses:
        if address in card:
            continue
        device = verdicts.get(address)
        words = f"   {device.short}" if device is not None and device.short else ""
        tone = DEVICE_TONES[device.verdict] if device is not None else "text"
        name = f"{short(address)} {name_in(state, address)}".rstrip()
        yield Ranked(6, [line(name, Span(words, tone))])


def _ready(found: Sequence[Reason], room: int, glyphs: Glyphs, *, full: bool) -> Iterator[Ranked]:
    """What keeps the guest from starting, then what is in order, then what is in doubt."""
    fails = [each for each in found if each.verdict == "fail"]
    doubts = [each for each in found if each.verdict in ("warn", "unknown")]
    sign = _sign("pass", glyphs)
    passes = [line(sign, f" {each.words}") for each in found if each.verdict == "pass"]
    yield from _reasons(fails, 0, room, glyphs, full=full)
    yield Ranked(2, [joined_to_fit(passes, room, "   ")] if passes else [])
    yield from _reasons(doubts, 4, room, glyphs, full=full)


def _reasons(
    found: Sequence[Reason], rank: int, room: int, glyphs: Glyphs, *, full: bool
) -> Iterator[Ranked]:
    for each in found:
        sign = _sign(each.verdict, glyphs)
        text = (each.why if full else "") or each.words
        tone: Tone = "bad" if each.verdict == "fail" and text == each.words else "text"
        rows = wrap(text, room - 2, tone)
        yield Ranked(rank, [line(sign if i == 0 else " ", " ", *row) for i, row in enumerate(rows)])
        if each.fix is not None:
            rows = wrap(each.fix, room - 4)
            arrow = Span(f"  {glyphs.changed} ", "label")
            yield Ranked(5, [line(arrow if i == 0 else "    ", *row) for i, row in enumerate(rows)])


def _sign(verdict: Verdict, glyphs: Glyphs) -> Span:
    name, tone = VERDICT_SIGNS[verdict]
    return Span(getattr(glyphs, name), tone)


def reasons(state: GuestState, domain: Domain) -> list[Reason]:
    """The known reasons for and against a start now; none while libvirt does not answer. A start
    checks more."""
    if state.stale:
        return []
    found = list(_of_devices(state))
    gpu = state.gpu
    if gpu is not None and gpu.address in domain.addresses:
        refused = {each.address for each in state.devices if each.verdict == "fail"}
        if refused.isdisjoint(f.address for f in gpu.functions):
            found += _of_card(gpu)
    checks = [check for check in state.checks if check.verdict != "pass"]
    found += [Reason(c.verdict, c.id, _plain(c.why), c.fix) for c in checks]
    if state.checks and not checks:
        count = len(state.checks)
        found.append(Reason("pass", "1 check" if count == 1 else f"{count} checks"))
    if domain.state == "unknown":
        found.append(Reason("unknown", "libvirt does not know its state"))
    return found or [Reason("unknown", "not checked yet")]


def _of_devices(state: GuestState) -> Iterator[Reason]:
    """The devices with a problem; those with the same one are combined."""
    alike: dict[tuple[object, ...], list[GuestDevice]] = {}
    for each in judged(state.devices):
        why = each.why.removeprefix(each.address)
        alike.setdefault((each.verdict, each.short, why, each.fix), []).append(each)
    for first, *rest in alike.values():
        words = f"{short(first.address)}{f' +{len(rest)}' if rest else ''} {first.short}"
        too = f"; {' '.join(short(each.address) for each in rest)} too" if rest else ""
        yield Reason(first.verdict, words, _plain(first.why) + too, first.fix)


def _of_card(gpu: Gpu) -> Iterator[Reason]:
    """Whether the card is free, and whether its group is viable."""
    if gpu.taken_by is None and not gpu.may_be_taken and gpu.owner.kind in ("host", "vfio"):
        yield Reason("pass", "card is free")
    elif gpu.may_be_taken:
        yield Reason("unknown", "the card may be in use", "somebody may be using the card")
    viable, group = gpu.viability.for_guest, gpu.function.iommu_group
    if viable:
        yield Reason("pass", f"group {group}")
    elif gpu.viability.reason is not None:
        words = "not viable" if viable is False else "viability unknown"
        name = "no group" if group is None else f"group {group}"
        yield Reason(
            "unknown" if viable is None else "fail", f"{name}: {words}",
            gpu.viability.reason, gpu.viability.fix,
        )  # fmt: skip


def _plain(text: str) -> str:
    """A clause with PCI addresses in their short form."""
    return text.replace(" 0000:", " ").removeprefix("0000:")
