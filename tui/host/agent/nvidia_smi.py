"""What nvidia-smi says inside a guest, asked for and judged.

The guest may be anybody's: whatever comes back is bounded, parsed strictly, and each number
is taken only where a card can have it. Fields: `nvidia-smi --help-query-gpu`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tui.host.agent.nvidia_smi_errors import REMARKS_LIMIT, complaint, in_brackets, remark
from tui.host.nvml.reply import throttle_words
from tui.host.untrusted import clean
from tui.model import GuestCard
from tui.model.plausible import plausible_metrics

OUTPUT_LIMIT = 16 * 1024
"""Bytes of an answer that are read; a card takes some 200."""

CARDS_LIMIT = 16

PATHS = {
    "linux": ("nvidia-smi", "/run/current-system/sw/bin/nvidia-smi"),
    "windows": (
        r"C:\Windows\System32\nvidia-smi.exe",
        r"C:\Program Files\NVIDIA Corporation\NVSMI\nvidia-smi.exe",
    ),
}
"""Where it is: in the agent's PATH, on NixOS; with drivers of today, with those before 2019."""

_IDENTITY = ("pci.device_id", "pci.sub_device_id", "driver_version")

_NUMBERS = {
    "utilization.gpu": "util_pct", "utilization.memory": "mem_util_pct",
    "memory.used": "mem_used_mib", "memory.total": "mem_total_mib",
    "temperature.gpu": "temp_c", "fan.speed": "fan_pct",
    "power.draw": "power_w", "power.limit": "power_limit_w",
    "clocks.gr": "clock_mhz", "clocks.mem": "mem_clock_mhz",
    "pcie.link.gen.current": "pcie_gen", "pcie.link.gen.max": "pcie_gen_max",
    "pcie.link.width.current": "pcie_width", "pcie.link.width.max": "pcie_width_max",
    "utilization.encoder": "enc_pct", "utilization.decoder": "dec_pct",
}  # fmt: skip
"""A field and the metric that it is. Memory is in MiB, power in watts, clocks in MHz, as the
metrics are."""

_WHOLE = frozenset({"pcie_gen", "pcie_gen_max", "pcie_width", "pcie_width_max"})

_REASONS = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")
"""The newer name of the same field, and the older one."""

FIELDS = (*_IDENTITY, *_NUMBERS, *_REASONS[:1], "name")
"""The name comes last: it is the only text that may have a comma in it."""

_ID = re.compile(r"0x([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})")
_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){1,2}")
_NUMBER = re.compile(r"([0-9]{1,10})(?:[.,]([0-9]{1,2}))?")
_BITS = re.compile(r"0x[0-9A-Fa-f]{1,16}")
_UNKNOWN_FIELD = re.compile(r'Field "([a-z_.]{1,40})" is not a valid field to query')


class MalformedOutput(ValueError):
    """An answer that nvidia-smi does not give, and what is wrong with it."""


def arguments(fields: Sequence[str]) -> list[str]:
    """What nvidia-smi is called with, once; it leaves nothing behind."""
    return [f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]


def without_unknown(fields: tuple[str, ...], output: str) -> tuple[str, ...] | None:
    """The fields that are left when nvidia-smi, being older, does not know one of them;
    ``None`` where that is not what it complains of."""
    found = _UNKNOWN_FIELD.search(output)
    if found is None or found[1] not in fields or found[1] in (*_IDENTITY, "name"):
        return None
    older = _REASONS[1:] if found[1] == _REASONS[0] else ()
    at = fields.index(found[1])
    return (*fields[:at], *older, *fields[at + 1 :])


def parse(output: str, fields: Sequence[str]) -> tuple[str | None, tuple[GuestCard, ...]]:
    """The driver's version and the cards, in the order in which they come. Raises
    ``Nonsense``; a single value that makes none is ``None``. Lines that are no rows, or cut short,
    are left out where there are whole ones (``remarks``)."""
    lines = [line for line in output.splitlines() if line.strip()]
    if not lines:
        raise MalformedOutput("it says nothing")
    of_cards = [line for line in lines if _is_row(line)]
    rows = [_row(line, fields) for line in of_cards if _is_whole(line, fields)]
    if not rows:
        _row((of_cards or lines)[0], fields)
        raise MalformedOutput("it gives no PCI id")
    if len(rows) > CARDS_LIMIT:
        raise MalformedOutput(f"it tells of more than {CARDS_LIMIT} cards")
    told = {row["driver_version"] for row in rows if _VERSION.fullmatch(row["driver_version"])}
    version = told.pop() if len(told) == 1 else None
    return version, tuple(_card(row) for row in rows)


def has_rows(output: str) -> bool:
    """Whether nvidia-smi tells of a card, whatever else it says."""
    return any(_is_row(line) for line in output.splitlines())


CUT_SHORT = "a card's row is cut short"

FIELDS_NAMED = 3
"""Fields that a remark on them names; of more it gives the number."""


def remarks(output: str, fields: Sequence[str]) -> tuple[str, ...]:
    """What nvidia-smi says beside its whole rows, in lines before, between or after them, safe
    to draw; each once, and at most ``REMARKS_LIMIT`` of them. What stands in a row is its
    card's."""
    found: dict[str, None] = {}
    for line in output.splitlines():
        if len(found) == REMARKS_LIMIT:
            break
        found.update(dict.fromkeys(each for each in _said_in(line, fields) if each))
    return tuple(found)[:REMARKS_LIMIT]


def _said_in(line: str, fields: Sequence[str]) -> tuple[str, ...]:
    if _is_row(line):
        return () if _is_whole(line, fields) else (CUT_SHORT,)
    # A card that tells nothing any more has a row in which even its id is none.
    told = _complaints(_row(line, fields)) if _is_whole(line, fields) else ()
    return told or (remark(line),)


def _is_row(line: str) -> bool:
    """Whether a line is of a card: it begins with a PCI id, as nothing else does."""
    return _ID.match(line.lstrip()) is not None


def _complaints(row: Mapping[str, str]) -> tuple[str, ...]:
    """What stands in a row for values that cannot be read, each with the fields that it is for."""
    found: dict[str, list[str]] = {}
    for field, value in row.items():
        if (words := complaint(value)) is not None:
            found.setdefault(words, []).append(field)
    return tuple(
        remark(f"{words} for {_some(of, row)}") for words, of in [*found.items()][:REMARKS_LIMIT]
    )


def _some(fields: Sequence[str], row: Mapping[str, str]) -> str:
    if len(fields) > len(row) // 2:
        return f"{len(fields)} of {len(row)} values"
    more = [f"{len(fields) - FIELDS_NAMED} more"] if len(fields) > FIELDS_NAMED else []
    return ", ".join((*fields[:FIELDS_NAMED], *more))


def _columns(line: str, fields: Sequence[str]) -> list[str]:
    """Columns end in a comma and a blank, so a decimal comma stays within its column. The last
    one may be empty, and the blank before it be lost."""
    return f"{line} ".split(", ", len(fields) - 1)


def _is_whole(line: str, fields: Sequence[str]) -> bool:
    return len(_columns(line, fields)) == len(fields)


def _row(line: str, fields: Sequence[str]) -> dict[str, str]:
    columns = _columns(line, fields)
    if len(columns) != len(fields):
        raise MalformedOutput(f"it gives {len(columns)} values where {len(fields)} were asked for")
    return {field: column.strip() for field, column in zip(fields, columns, strict=True)}


def _card(row: dict[str, str]) -> GuestCard:
    ids = _ID.fullmatch(row["pci.device_id"])
    if ids is None:
        raise MalformedOutput("it gives no PCI id")
    subsystem = _ID.fullmatch(row["pci.sub_device_id"])
    values = {
        metric: _value(row.get(field, ""), whole=metric in _WHOLE)
        for field, metric in _NUMBERS.items()
    }
    reasons = next((row[field] for field in _REASONS if field in row), "")
    return GuestCard(
        vendor=ids[2].lower(),
        device=ids[1].lower(),
        subsystem=f"{subsystem[2]}:{subsystem[1]}".lower() if subsystem else None,
        name=None if in_brackets(row["name"]) else clean(row["name"]) or None,
        metrics=plausible_metrics(
            **values,
            throttle=throttle_words(int(reasons, 16)) if _BITS.fullmatch(reasons) else None,
        ),
        remarks=_complaints(row),
    )


def _value(text: str, *, whole: bool) -> float | int | None:
    """A number; what is none, as ``[N/A]`` or ``ERR!``, is ``None``."""
    found = _NUMBER.fullmatch(text)
    if found is None or (whole and found[2]):
        return None
    value = float(f"{found[1]}.{found[2] or 0}")
    return int(value) if whole else value
