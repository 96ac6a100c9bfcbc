"""What nvidia-smi means by its exit status and its remarks (nvidia-smi(1), RETURN VALUE).

Its status is NVML's error code (nvmlReturn_t), also where the manual does not list it. One
that is not 0 may come after complete rows: a corrupted infoROM, or one of several cards that
does not answer, keeps no other card from being read.
"""

from __future__ import annotations

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
    8: "the card in the guest gets too little power: check its external power cables",
    9: NO_DRIVER,
    10: "the driver in the guest gets no interrupts of the card: see the guest's kernel log",
    11: "the driver in the guest gets no interrupts of the card: see the guest's kernel log",
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
    ("no devices were found", NO_CARD),
    ("couldn't communicate with the nvidia driver", NO_DRIVER),
    ("driver/library version mismatch", MISMATCH),
    ("inforom is corrupted", CORRUPTED),
    ("gpu requires reset", NEEDS_RESET),
    ("gpu is lost", LOST),
    ("insufficient permissions", FORBIDDEN),
)
"""What it writes, in lower case, where its status may be 0 or 255."""


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
    sentence = _STATUS.get(status or 0) or meant(said)
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
