"""A swap in the panel of its card: its progress, the current step, and where each function goes.

The journal records each step as the exact command. This module puts them into words.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from tui.model import Gpu, PciFunction, Swap, capital, is_vfio_driver
from widgets.card import Card, seconds_text
from widgets.card_graphs import columns
from widgets.figures import short
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, Tone, fit, line, pad, spread, width_of, wrap_rows

VFIO = "vfio-pci"
HOST = "host driver"
NO_DRIVER = "no driver"

_WRITE = re.compile(r"echo (?:'?(?P<value>[^'>]*?)'? )?> '?(?P<path>[^']+)'?")
_UNBIND = re.compile(r"/drivers/(?P<driver>[^/]+)/unbind$")
_OVERRIDE = re.compile(r"/devices/(?P<address>[^/]+)/driver_override$")
_POWER = re.compile(r"/devices/(?P<address>[^/]+)/power/control$")
_IN_NVML = re.compile(r"wait until NVML lists (?P<address>\S+)")
_WAIT = "wait for "


class Step(NamedTuple):
    """A step in words, the function that it moves, the driver that it unbinds it from, and the most
    seconds that it usually takes."""

    words: str
    usual_s: float
    address: str = ""
    leaves: str = ""


def parsed(text: str, to: str) -> Step:
    """The step that the journal records as ``text``; ``to`` is the driver that the card goes to.
    An unknown step keeps its text."""
    if text.startswith("modprobe"):
        words = text.split()
        return Step(f"loading {words[-1] if len(words) == 2 else 'the drivers of the host'}", 5.0)
    if (waits := _IN_NVML.fullmatch(text)) is not None:
        return Step(f"waiting for NVML to list {short(waits['address'])}", 10.0)
    if text.startswith(_WAIT):
        return Step(f"waiting for {text.removeprefix(_WAIT)}", 2.0)
    write = _WRITE.fullmatch(text)
    found = _written((write["value"] or "").strip(), write["path"], to) if write else None
    return found or Step(text, 10.0)


def _written(value: str, path: str, to: str) -> Step | None:
    if (unbind := _UNBIND.search(path)) is not None:
        words = f"{unbind['driver']} releases {short(value)}"
        return Step(words, 10.0, value, unbind["driver"])
    if path.endswith("/drivers_probe"):
        return Step(f"{to} takes {short(value)}", 5.0 if to == VFIO else 15.0, value)
    if (of := _OVERRIDE.search(path)) is not None:
        address = of["address"]
        words = f"reserved for {value}" if value else "no longer reserved"
        return Step(f"{short(address)} {words}", 2.0, address)
    if (of := _POWER.search(path)) is not None:
        return Step(f"power management of {short(of['address'])}", 2.0)
    return None


def target(swap: Swap) -> str:
    """The driver that a swap moves the card to, as far as that is known beforehand."""
    return VFIO if swap.direction == "bind" else HOST


# --- each function ----------------------------------------------------------------


class Move(NamedTuple):
    """A function, its drivers before and after, and its progress."""

    address: str
    before: str
    after: str
    state: str


def moves(card: Card, swap: Swap) -> list[Move]:
    """The functions that a swap moves, by address."""
    steps = [parsed(text, target(swap)) for text in swap.steps]
    return [_move(f, swap, steps) for f in card.gpu.functions if f.address in swap.moves]


def _move(function: PciFunction, swap: Swap, steps: list[Step]) -> Move:
    mine = [index for index, step in enumerate(steps) if step.address == function.address]
    left = next((steps[i].leaves for i in mine if steps[i].leaves), None)
    known = dict(zip(swap.moves, swap.drivers, strict=False))
    before = known.get(function.address) or left or NO_DRIVER
    after = target(swap)
    if after == HOST and function.driver and not is_vfio_driver(function.driver):
        after = function.driver
    if swap.state == "undoing":
        state = "done" if function.driver == before else "moving"
        return Move(function.address, after, before, state)
    begun = bool(mine) and mine[0] <= swap.step
    done = swap.state == "done" or not mine or mine[-1] < swap.step
    return Move(function.address, before, after, "done" if done else "moving" if begun else "waits")


def moved(card: Card, swap: Swap) -> str:
    """``1 of 2 on vfio-pci``."""
    states = [move.state for move in moves(card, swap)]
    goes_to_host = (swap.direction == "unbind") != (swap.state == "undoing")
    where = "with the host" if goes_to_host else f"on {VFIO}"
    return f"{states.count('done')} of {len(states)} {where}"


# --- the rows ---------------------------------------------------------------------


def swap_rows(card: Card, swap: Swap, rows: int, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """The progress in at most ``rows`` lines, in place of the card's four bars."""
    lines = [progress(card, swap, width, glyphs)]
    if swap.stuck:
        why = card.gpu.no_reading or swap.message or "a kernel call does not return"
        lines += wrap_rows(capital(why), width, rows - 1, "bad")
    else:
        lines.append(now_line(swap, width))
    functions = moves(card, swap)
    room = max(0, rows - len(lines))
    if len(functions) > room:
        functions = functions[: max(0, room - 1)]
    lines += _function_rows(functions, width, glyphs)
    rest = len(moves(card, swap)) - len(functions)
    if rest and room:
        done = sum(move.state == "done" for move in moves(card, swap)[len(functions) :])
        more = "more " if functions else ""
        lines.append(line(Span(f"{rest} {more}functions, {done} done", "label")))
    return lines[:rows]


def progress(card: Card, swap: Swap, width: int, glyphs: Glyphs = RICH) -> Line:
    """``Swap    6 of 8 ■■■■■■···· 2.1 s``. The seconds are marked once the step takes longer
    than usual."""
    head, tail = columns(width)
    count = max(len(swap.steps), 1)
    at = min(swap.step + 1, count)
    undoing = swap.state == "undoing"
    label, figure = ("Undo", f"step {at}") if undoing else ("Swap", f"{at} of {count}")
    room = max(0, width - head - tail - 2)
    filled = min(round((at - 0.5) / count * room), room)
    gap = " " * max(1, head - len(label) - len(figure))
    taken = f"{seconds_text(card.swap_s):<{tail}}" if tail else ""
    tone: Tone = "bad" if swap.stuck else "warn" if overdue(card, swap) else "label"
    return line(
        Span(f"{label}{gap}", "label"), Span(figure, "strong"), " ",
        Span(glyphs.filled * filled, "bad" if swap.stuck else "warn"),
        Span(glyphs.rest * (room - filled), "track"),
        Span(f" {taken}", tone),
    )  # fmt: skip


def overdue(card: Card, swap: Swap) -> bool:
    """Whether the card's swap takes longer than usual."""
    return swap_overdue(swap, card.at, card.usual_s)


def swap_overdue(swap: Swap, at: datetime, usual_s: float | None) -> bool:
    """Whether the current step takes longer than usual, or the swap clearly longer than the last
    one, which took ``usual_s``."""
    if usual_s is not None and (at - swap.began_at).total_seconds() > usual_s * 1.5 + 1:
        return True
    return step_overdue(swap, at)


def step_overdue(swap: Swap, at: datetime) -> bool:
    """Whether the current step takes longer than such a step usually does."""
    took_s = (at - swap.step_began_at).total_seconds()
    return took_s > parsed(swap.current_step, target(swap)).usual_s


def now_line(swap: Swap, width: int) -> Line:
    """``Now   nvidia releases 01:00.0     may take 10 s``; the time only where it fits."""
    step = parsed(swap.current_step, target(swap))
    label, words = "Now", step.words or "checking that all functions are there"
    if swap.state == "undoing":
        label, words = ("Why", swap.message) if swap.message else (label, "putting functions back")
        step = Step("", 0.0)
    now = line(Span(f"{label}   ", "label"), words)
    usual = line(Span(f"may take {step.usual_s:.0f} s", "label")) if step.usual_s >= 5 else ()
    fits = width_of(now) + width_of(usual) + 2 <= width
    return spread(now, usual, width) if usual and fits else fit(now, width)


def _function_rows(functions: list[Move], width: int, glyphs: Glyphs) -> list[Line]:
    addresses = max((len(short(m.address)) for m in functions), default=0)
    before = max((len(m.before) for m in functions), default=0)
    after = max((len(m.after) for m in functions), default=0)
    wide = addresses + before + after + 10 <= width
    signs: dict[str, Span] = {
        "done": Span(glyphs.passed, "good"),
        "moving": Span(glyphs.moving, "warn"),
        "waits": Span(glyphs.noted, "label"),
    }
    return [
        pad(
            line(
                Span(f"{short(m.address):<{addresses}}  ", "label"),
                f"{m.before:<{before}}{'  ' if wide else ' '}",
                Span(f"{glyphs.changed} ", "label"),
                f"{m.after:<{after}}{'   ' if wide else ' '}",
                signs[m.state],
            ),
            width,
        )
        for m in functions
    ]


def swap_words(gpu: Gpu, swap: Swap) -> str:
    """What a swap of ``gpu`` does, for its title: ``bind 6/8``."""
    if swap.state == "undoing":
        return f"undo {swap.direction}"
    count = max(len(swap.steps), 1)
    return f"{swap.direction} {min(swap.step + 1, count)}/{count}"
