"""Queries nvidia-smi inside a guest, and parses its output.

The guest is not trusted: the output is limited in size and parsed strictly, and a number is used
only if it is plausible for a card. Fields: `nvidia-smi --help-query-gpu`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tui.host.agent.nvidia_smi_errors import REMARKS_LIMIT, is_placeholder, remark, value_error
from tui.host.nvml.reply import throttle_words
from tui.host.untrusted import clean
from tui.model import GuestCard
from tui.model.plausible import plausible_metrics
from tui.rules.driver_gates import DRIVER_VERSION

OUTPUT_LIMIT = 16 * 1024
"""Bytes of output; a card takes about 200."""

CARDS_LIMIT = 16

PATHS = {
    "linux": ("nvidia-smi", "/run/current-system/sw/bin/nvidia-smi"),
    "windows": (
        r"C:\Windows\System32\nvidia-smi.exe",
        r"C:\Program Files\NVIDIA Corporation\NVSMI\nvidia-smi.exe",
    ),
}
"""Locations to try. Linux: the agent's PATH, NixOS. Windows: current drivers, those before 2019."""

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
    "encoder.stats.sessionCount": "enc_sessions", "encoder.stats.averageFps": "enc_fps",
    "encoder.stats.averageLatency": "enc_latency_us",
}  # fmt: skip
"""Fields by metric name. The units are the metrics' own: MiB, watts, MHz, microseconds."""

_INTEGER_METRICS = frozenset({
    "pcie_gen", "pcie_gen_max", "pcie_width", "pcie_width_max", "enc_sessions",
})  # fmt: skip

_THROTTLE_FIELDS = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")
"""The newer and the older name of the same field."""

FIELDS = (*_IDENTITY, *_NUMBERS, *_THROTTLE_FIELDS[:1], "name")
"""The name comes last: it is the only value that may contain a comma."""

_ID = re.compile(r"0x([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})")
_NUMBER = re.compile(r"([0-9]{1,10})(?:[.,]([0-9]{1,2}))?")
_BITS = re.compile(r"0x[0-9A-Fa-f]{1,16}")
_UNKNOWN_FIELD = re.compile(r'Field "([A-Za-z_.]{1,40})" is not a valid field to query')


class MalformedOutput(ValueError):
    """Output that nvidia-smi does not write; the message says what is wrong with it."""


def arguments(fields: Sequence[str]) -> list[str]:
    """Return the command line for a single query, which leaves nothing running."""
    return [f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]


def without_unknown(fields: tuple[str, ...], output: str) -> tuple[str, ...] | None:
    """Return the fields without the one that an older nvidia-smi rejects.

    ``None`` if that is not what its output complains about.
    """
    found = _UNKNOWN_FIELD.search(output)
    if found is None or found[1] not in fields or found[1] in (*_IDENTITY, "name"):
        return None
    older = _THROTTLE_FIELDS[1:] if found[1] == _THROTTLE_FIELDS[0] else ()
    at = fields.index(found[1])
    return (*fields[:at], *older, *fields[at + 1 :])


def parse(output: str, fields: Sequence[str]) -> tuple[str | None, tuple[GuestCard, ...]]:
    """Return the driver's version and the cards, in the order of the rows.

    A single value that cannot be parsed is ``None``. Other lines and incomplete rows are skipped
    if there is a complete row; ``remarks`` returns them. Raises ``MalformedOutput``.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    if not lines:
        raise MalformedOutput("no output")
    of_cards = [line for line in lines if _is_row(line)]
    rows = [_row(line, fields) for line in of_cards if _is_complete(line, fields)]
    if not rows:
        _row((of_cards or lines)[0], fields)
        raise MalformedOutput("no PCI id")
    if len(rows) > CARDS_LIMIT:
        raise MalformedOutput(f"more than {CARDS_LIMIT} cards")
    named = {row["driver_version"] for row in rows}
    versions = {version for version in named if DRIVER_VERSION.fullmatch(version)}
    version = versions.pop() if len(versions) == 1 else None
    return version, tuple(_card(row) for row in rows)


def has_rows(output: str) -> bool:
    """Whether the output has a row for a card, whatever else is in it."""
    return any(_is_row(line) for line in output.splitlines())


CUT_SHORT = "a card's row is truncated"

FIELDS_NAMED = 3
"""Fields that a remark names; more are only counted."""


def remarks(output: str, fields: Sequence[str]) -> tuple[str, ...]:
    """Return what nvidia-smi wrote besides its complete rows, safe to draw.

    Each remark comes once, and at most ``REMARKS_LIMIT`` of them. Remarks inside a row belong to
    its card.
    """
    found: dict[str, None] = {}
    for line in output.splitlines():
        if len(found) == REMARKS_LIMIT:
            break
        found.update(dict.fromkeys(each for each in _line_remarks(line, fields) if each))
    return tuple(found)[:REMARKS_LIMIT]


def _line_remarks(line: str, fields: Sequence[str]) -> tuple[str, ...]:
    if _is_row(line):
        return () if _is_complete(line, fields) else (CUT_SHORT,)
    # The row of a card that no longer responds has errors in every column, its id included.
    errors = _value_errors(_row(line, fields)) if _is_complete(line, fields) else ()
    return errors or (remark(line),)


def _is_row(line: str) -> bool:
    """Whether a line is a card's row: only those begin with a PCI id."""
    return _ID.match(line.lstrip()) is not None


def _value_errors(row: Mapping[str, str]) -> tuple[str, ...]:
    """Return the errors in place of a row's values, each with its fields."""
    found: dict[str, list[str]] = {}
    for field, value in row.items():
        if (words := value_error(value)) is not None:
            found.setdefault(words, []).append(field)
    return tuple(
        remark(f"{words} for {_field_list(of, row)}")
        for words, of in [*found.items()][:REMARKS_LIMIT]
    )


def _field_list(fields: Sequence[str], row: Mapping[str, str]) -> str:
    if len(fields) > len(row) // 2:
        return f"{len(fields)} of {len(row)} values"
    more = [f"{len(fields) - FIELDS_NAMED} more"] if len(fields) > FIELDS_NAMED else []
    return ", ".join((*fields[:FIELDS_NAMED], *more))


def _columns(line: str, fields: Sequence[str]) -> list[str]:
    """Split a line into columns, which end in a comma and a space.

    A decimal comma therefore stays in its column. The last column may be empty and the space
    before it stripped.
    """
    return f"{line} ".split(", ", len(fields) - 1)


def _is_complete(line: str, fields: Sequence[str]) -> bool:
    return len(_columns(line, fields)) == len(fields)


def _row(line: str, fields: Sequence[str]) -> dict[str, str]:
    columns = _columns(line, fields)
    if len(columns) != len(fields):
        raise MalformedOutput(f"a row has {len(columns)} values instead of {len(fields)}")
    return {field: column.strip() for field, column in zip(fields, columns, strict=True)}


def _card(row: dict[str, str]) -> GuestCard:
    ids = _ID.fullmatch(row["pci.device_id"])
    if ids is None:
        raise MalformedOutput("no PCI id")
    subsystem = _ID.fullmatch(row["pci.sub_device_id"])
    values = {
        metric: _value(row.get(field, ""), whole=metric in _INTEGER_METRICS)
        for field, metric in _NUMBERS.items()
    }
    reasons = next((row[field] for field in _THROTTLE_FIELDS if field in row), "")
    return GuestCard(
        vendor=ids[2].lower(),
        device=ids[1].lower(),
        subsystem=f"{subsystem[2]}:{subsystem[1]}".lower() if subsystem else None,
        name=None if is_placeholder(row["name"]) else clean(row["name"]) or None,
        metrics=plausible_metrics(
            **values,
            throttle=throttle_words(int(reasons, 16)) if _BITS.fullmatch(reasons) else None,
        ),
        remarks=_value_errors(row),
    )


def _value(text: str, *, whole: bool) -> float | int | None:
    """Parse a number; anything else, such as ``[N/A]`` or ``ERR!``, is ``None``."""
    found = _NUMBER.fullmatch(text)
    if found is None or (whole and found[2]):
        return None
    value = float(f"{found[1]}.{found[2] or 0}")
    return int(value) if whole else value
