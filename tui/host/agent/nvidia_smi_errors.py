"""Explains nvidia-smi's exit status and messages (nvidia-smi(1), RETURN VALUE).

The status is NVML's error code (nvmlReturn_t), including codes that the manual does not list. A
status other than 0 may follow complete rows: a corrupted infoROM, or one card of several that does
not respond, does not prevent reading the others.
"""

from __future__ import annotations

import re

from tui.host.untrusted import clean

REMARK_LIMIT = 160
"""Characters of a remark from the guest."""

REMARKS_LIMIT = 4

NO_CARD = "nvidia-smi finds no card in the guest"
NO_DRIVER = (
    "nvidia-smi cannot reach the NVIDIA driver in the guest: check that it is installed and "
    "loaded there"
)
MISMATCH = (
    "the guest's NVIDIA library and driver versions differ, as after an update: reboot the guest"
)

CORRUPTED = (
    "the card's infoROM is corrupted: it works, but stored data such as ECC counts is lost; "
    "have it replaced if it is under warranty"
)
NEEDS_RESET = "the card needs a reset: shut the guest down and start it again"
NO_POWER = "the card in the guest gets too little power: check its external power cables"
NO_INTERRUPTS = (
    "the driver in the guest gets no interrupts from the card: check the guest's kernel log"
)
UNREACHABLE = (
    "the driver in the guest cannot reach the card: check the guest's kernel log, shut the guest "
    "down and start it again"
)
UNEXPLAINED = (
    "the driver in the guest cannot read it and does not say why: check the guest's kernel log"
)
LOST = (
    "the card has fallen off the bus or does not respond: shut the guest down; if that does not "
    "help, reboot the host"
)
FORBIDDEN = (
    "the guest's agent may not read everything: run qemu-guest-agent as root, or on Windows as "
    "LocalSystem"
)

_STATUSES = {
    2: "nvidia-smi in the guest does not know an option: update the NVIDIA driver there",
    3: "the card in the guest does not support the query",
    4: FORBIDDEN,
    6: NO_CARD,
    8: NO_POWER,
    9: NO_DRIVER,
    10: NO_INTERRUPTS,
    11: NO_INTERRUPTS,
    12: "the NVML library is missing in the guest: install the NVIDIA driver there",
    13: "the guest's NVML is older than its nvidia-smi: reinstall the NVIDIA driver there",
    14: CORRUPTED,
    15: LOST,
    16: NEEDS_RESET,
    18: MISMATCH,
}

_PERMANENT = frozenset({2, 3, 4, 8, 12, 13, 18})
"""Statuses that last until somebody changes something in the guest."""

_MESSAGES = (
    ("couldn't communicate with the nvidia driver", NO_DRIVER),
    ("driver/library version mismatch", MISMATCH),
    ("nvml/rm version mismatch", MISMATCH),
    ("inforom is corrupted", CORRUPTED),
    ("corrupted inforom", CORRUPTED),
    ("gpu requires reset", NEEDS_RESET),
    ("gpu requires restart", NEEDS_RESET),
    ("gpu is lost", LOST),
    ("insufficient permissions", FORBIDDEN),
    ("insufficient external power", NO_POWER),
    ("interrupt request issue", NO_INTERRUPTS),
    ("the device handle for gpu", UNREACHABLE),
    ("[unknown error]", UNEXPLAINED),
    ("err!", UNEXPLAINED),
    ("no devices were found", NO_CARD),
)
"""Messages, in lower case, that come with status 0 or 255 or in place of a value. The more
specific ones come first."""

_IN_BRACKETS = re.compile(r"\[[^\[\]]{1,80}\]")

_NO_SUCH_VALUE = frozenset(
    f"[{words}]" for words in (
        "n/a", "not supported", "not available", "not found", "function not found", "no data",
        "unknown", "none", "deprecated", "requested functionality has been deprecated",
    )
)  # fmt: skip


def is_placeholder(value: str) -> bool:
    """Whether this is text in brackets, which stands in for a value."""
    return _IN_BRACKETS.fullmatch(value) is not None


def value_error(value: str) -> str | None:
    """Return the error in place of a value, or ``None``.

    That is NVML's error in brackets, such as ``[GPU is lost]``, or ``ERR!``. ``[N/A]`` and the
    like are not errors: the card has no such value.
    """
    if value == "ERR!":
        return value
    return value if is_placeholder(value) and value.lower() not in _NO_SUCH_VALUE else None


def remark(line: str) -> str:
    """Return a line that is not a row, safe to draw, with its meaning if that is known."""
    text = clean(line, REMARK_LIMIT)
    meaning = explain(line)
    return f"{text} ({meaning})" if meaning is not None else text


def explain(text: str) -> str | None:
    """Return the meaning of an nvidia-smi message in ``text``, or ``None``."""
    lower = text[: 4 * REMARK_LIMIT].lower()
    return next((sentence for words, sentence in _MESSAGES if words in lower), None)


def why_ended(status: int | None, output: str) -> tuple[str, bool]:
    """Return why there are no rows, and whether that lasts until the guest is changed.

    ``output`` is everything that nvidia-smi wrote.
    """
    sentence = _STATUSES.get(status or 0)
    if sentence in (None, NO_CARD):
        # It also finds no card if the only one does not respond, but then it says so first.
        sentence = explain(output) or sentence
    if sentence is not None:
        return sentence, status in _PERMANENT
    text = clean(output, REMARK_LIMIT)
    how = "was killed" if status is None else f"failed with exit status {status}"
    return f"nvidia-smi in the guest {how}{f': {text}' if text else ''}", False


def status_remark(status: int | None) -> str | None:
    """Return what a status other than 0 means if the rows are complete."""
    if status == 0:
        return None
    return why_ended(status, "")[0]
