"""What nvidia-smi means by its exit status and its remarks (nvidia-smi(1), RETURN VALUE).

Its status is NVML's error code (nvmlReturn_t), also where the manual does not list it. One
that is not 0 may come after complete rows: a corrupted infoROM, or one of several cards that
does not answer, keeps no other card from being read.
"""

from __future__ import annotations

import re

from tui.host.untrusted import clean

REMARK_LIMIT = 160
"""Characters of a remark of the guest's that are kept."""

REMARKS_LIMIT = 4

NO_CARD = "nvidia-smi finds no card in the guest"
NO_DRIVER = (
    "nvidia-smi does not reach the NVIDIA driver in the guest: see whether it is installed and "
    "loaded there"
)
MISMATCH = "the guest's NVIDIA library and driver differ, as after an update: restart the guest"

CORRUPTED = (
    "the card's infoROM is corrupted: it works, but what it has stored, as ECC counts, is lost; "
    "a card under warranty can be exchanged for that"
)
NEEDS_RESET = "the card needs a reset: shut the guest down and start it again"
NO_POWER = "the card in the guest gets too little power: check its external power cables"
NO_INTERRUPTS = "the driver in the guest gets no interrupts of the card: see the guest's kernel log"
UNREACHED = (
    "the driver in the guest does not reach the card: see the guest's kernel log; shut the guest "
    "down and start it again"
)
UNEXPLAINED = (
    "the driver in the guest cannot read it and does not say why: see the guest's kernel log"
)
LOST = (
    "the card has fallen off the bus or does not answer: shut the guest down; if it stays so, "
    "the host has to be restarted"
)
FORBIDDEN = (
    "the guest's agent may not read all of the card: let qemu-guest-agent run as root, on "
    "Windows as LocalSystem"
)

_STATUS = {
    2: "nvidia-smi in the guest does not know an option: update NVIDIA's driver there",
    3: "the card in the guest does not support what nvidia-smi was asked for",
    4: FORBIDDEN,
    6: NO_CARD,
    8: NO_POWER,
    9: NO_DRIVER,
    10: NO_INTERRUPTS,
    11: NO_INTERRUPTS,
    12: "NVIDIA's library NVML is missing in the guest: install NVIDIA's driver there",
    13: "the guest's NVML is older than its nvidia-smi: install NVIDIA's driver there anew",
    14: CORRUPTED,
    15: LOST,
    16: NEEDS_RESET,
    18: MISMATCH,
}

_LASTING = frozenset({2, 3, 4, 8, 12, 13, 18})
"""What somebody has to change in the guest."""

_SAID = (
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
    ("the device handle for gpu", UNREACHED),
    ("[unknown error]", UNEXPLAINED),
    ("err!", UNEXPLAINED),
    ("no devices were found", NO_CARD),
)
"""What it writes, in lower case, where its status may be 0 or 255, or in the place of a value;
what tells more comes first."""

_IN_BRACKETS = re.compile(r"\[[^\[\]]{1,80}\]")

_NOT_THERE = frozenset(
    f"[{words}]" for words in (
        "n/a", "not supported", "not available", "not found", "function not found", "no data",
        "unknown", "none", "deprecated", "requested functionality has been deprecated",
    )
)  # fmt: skip


def in_brackets(value: str) -> bool:
    """Whether it stands in the place of a value, whatever it says."""
    return _IN_BRACKETS.fullmatch(value) is not None


def complaint(value: str) -> str | None:
    """What stands in the place of a value that the card has and that cannot be read, as
    ``[GPU is lost]``: NVML's error in brackets, or ``ERR!``. ``[N/A]`` and the like are none:
    they say that there is no such value."""
    if value == "ERR!":
        return value
    return value if in_brackets(value) and value.lower() not in _NOT_THERE else None


def remark(line: str) -> str:
    """A line of nvidia-smi's that is no row, made safe to draw; with what it means, if known."""
    text = clean(line, REMARK_LIMIT)
    meaning = meant(line)
    return f"{text} ({meaning})" if meaning is not None else text


def meant(text: str) -> str | None:
    """What nvidia-smi says in ``text``, in a sentence, where it is one of its own."""
    lower = text[: 4 * REMARK_LIMIT].lower()
    return next((sentence for words, sentence in _SAID if words in lower), None)


def why_ended(status: int | None, said: str) -> tuple[str, bool]:
    """Why there are no rows: the sentence, and whether it lasts until somebody changes
    something in the guest. ``said`` is all that nvidia-smi wrote."""
    sentence = _STATUS.get(status or 0)
    if sentence in (None, NO_CARD):
        # It finds none, too, where the only one does not answer; before that it says so.
        sentence = meant(said) or sentence
    if sentence is not None:
        return sentence, status in _LASTING
    text = clean(said, REMARK_LIMIT)
    how = "was ended" if status is None else f"failed with exit status {status}"
    return f"nvidia-smi in the guest {how}{f': {text}' if text else ''}", False


def after_rows(status: int | None) -> str | None:
    """What a status other than 0 tells beside complete rows."""
    if status == 0:
        return None
    return why_ended(status, "")[0]
