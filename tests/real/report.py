"""The result as a table and as JSON that can be sent in. Pure.

Neither contains the names of the host, its users or its processes, or serial numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from statistics import median
from typing import Any

from tests.real.compare import Compared
from tests.real.measure import CardResult, Cost, Result
from tests.real.smi import Value

SCHEMA = 1


def as_json(result: Result, facts: dict[str, object]) -> dict[str, Any]:
    """Everything, each sample included; ``facts`` are those of the host and the program."""
    return {
        "schema": SCHEMA,
        **facts,
        "driver": result.driver,
        "notes": result.notes,
        "cost": asdict(result.cost),
        "cards": [_card(card) for card in result.cards.values()],
    }


def _card(card: CardResult) -> dict[str, Any]:
    details = card.details
    return {
        "address": card.address,
        "name": details.name,
        "mig": details.mig,
        "persistence": details.persistence,
        "problem": card.problem,
        "power": card.power,
        "sleep": card.sleep,
        "metrics": {each.metric: asdict(each) for each in card.compared},
        "processes": _counts(card),
        "samples": [asdict(sample) for sample in card.samples],
    }


def _counts(card: CardResult) -> dict[str, int] | None:
    """How many processes; which ones is nobody's business."""
    found = card.processes
    return {name: len(pids) for name, pids in asdict(found).items()} if found else None


def as_text(result: Result) -> Iterator[str]:
    """The table, a block for each card."""
    yield f"driver {result.driver or 'unknown'}"
    for card in result.cards.values():
        yield ""
        yield from _block(card)
    yield ""
    yield from _cost(result.cost)
    for note in result.notes:
        yield f"note: {note}"
    yield ""
    yield summary(result)


def _block(card: CardResult) -> Iterator[str]:
    details = card.details
    mig = f", MIG {details.mig}" if details.mig not in ("", "N/A", "[N/A]") else ""
    keeps = f", persistence mode {details.persistence}" if details.persistence else ""
    yield f"{card.address} {details.name}{mig}{keeps}"
    if card.problem:
        yield f"  {card.problem}"
    if not card.samples:
        yield "  nothing was compared"
    else:
        span = median(sample.seconds for sample in card.samples)
        yield (
            f"  {len(card.samples)} samples; nvidia-smi is asked between two readings, "
            f"{span:.2f} s apart"
        )
        yield from _table(card)
        yield f"  processes: {_processes(card)}"
    yield f"  sleep: {card.sleep or 'not tried'}"


def _table(card: CardResult) -> Iterator[str]:
    yield f"  {'metric':<16}{'vfiotop':>12}{'nvidia-smi':>14}  result"
    for each in card.compared:
        yield (
            f"  {each.metric:<16}{_text(each.ours):>12}{_text(each.theirs):>14}  {_word(each)}"
        ).rstrip()


def _text(value: Value) -> str:
    if value is None:
        return "–"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return f"{value:.1f}".removesuffix(".0")


def _word(each: Compared) -> str:
    if each.word == "moves":
        return f"same but for {each.unexplained} of {each.samples} samples"
    if each.word == "differs":
        return f"DIFFERS in {each.unexplained} of {each.samples} samples"
    return each.word


def _processes(card: CardResult) -> str:
    found = card.processes
    if found is None:
        return "not compared"
    parts = [f"{len(found.both)} in both lists"]
    for word, pids in (
        ("only in nvidia-smi's", found.missing), ("only in vfiotop's", found.extra),
        ("of different size", found.memory),
    ):  # fmt: skip
        if pids:
            parts.append(f"{len(pids)} {word}: {' '.join(map(str, pids[:8]))}")
    return ", ".join(parts)


def _cost(cost: Cost) -> Iterator[str]:
    def show(value: float | None, digits: int = 1) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    yield f"vfiotop's NVML process, over {cost.readings} readings"
    yield f"  CPU           {show(cost.cpu_ms)} ms a reading; {show(cost.start_cpu_ms)} ms to start"
    yield f"  calls         {show(cost.calls)} of NVML a reading"
    yield f"  memory        {show(cost.pss_mib)} MiB PSS, {show(cost.rss_mib)} MiB RSS"
    yield f"  first answer  {show(cost.first_s, 2)} s"
    yield f"  later answers {show(cost.answer_ms)} ms; nvidia-smi {show(cost.smi_ms)} ms"


def summary(result: Result) -> str:
    """One sentence: whether anything differs."""
    cards = result.cards.values()
    if not any(card.samples for card in cards):
        return "Nothing was compared."
    wrong = sorted({
        each.metric for card in cards for each in card.compared
        if each.word in ("differs", "only nvidia-smi")
    })  # fmt: skip
    lists = [c.address for c in cards if c.processes and (c.processes.missing or c.processes.extra)]
    woken = [card.address for card in cards if "woke up" in card.sleep]
    said = [
        *([f"Not as nvidia-smi says: {', '.join(wrong)}."] if wrong else []),
        *([f"The process lists of {', '.join(lists)} differ."] if lists else []),
        *([f"While vfiotop read, {', '.join(woken)} woke up."] if woken else []),
    ]
    return " ".join(said) or "Everything is as nvidia-smi says."
