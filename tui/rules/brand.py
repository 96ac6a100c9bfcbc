"""The brand of an NVIDIA card: from its name or, if the name does not say, its PCI device id.

NVIDIA assigns the ids of a chip in blocks. Ids with ``id & 0x30 == 0x30`` are professional cards,
the others GeForce and TITAN. This is true since Maxwell: NVIDIA's list (README.md of
open-gpu-kernel-modules 595.45) has 474 GeForce and TITAN entries without these bits and none with
them; 323 professional entries with them, and 28 without (server chips, a system on a chip, mining
cards). It is not true before Maxwell, where a Tesla K40 is 1023. The exceptions are listed here.
"""

from __future__ import annotations

import re

from tui.model import Brand

_TITAN = re.compile(r"\btitan\b", re.I)
_GEFORCE = re.compile(r"\bgeforce", re.I)
_MINING = re.compile(r"\bCMP\b|\bP10\d(-\d{3}|M)\b")
_PRO = re.compile(
    r"\bQuadro|\b(NVS|Tesla|GRID|RTX PRO)\b"
    r"|\bRTX A\d"
    r"|\bRTX \d.*\bAda\b"
    r"|(?:^|[ /])(T\d{1,4}G?|[ALHB]\d{1,4}[A-Z]?|GH200|GB[23]00)(?=$|[ /-])"
)
"""A product's letter starts a word: the A1 of a sample (``GK107-ES-A1``) is its stepping. GB202 is
a chip of GeForce cards, but GB200 is a server product."""

_CHIP_GL = re.compile(r"\bG[MPVA]\d{2,3}GL|\b(TU|AD|GB)\d{2,3}GL")
"""Chip names that pci.ids uses for professional cards."""

_PROFESSIONAL_BITS = 0x30

_SAMPLES = (0x3E, 0x3F)
"""The last two ids of a professional block. Only engineering samples have them, of either kind of
card (24bf is a GeForce RTX 3070)."""

_EXCEPTIONS: dict[int, Brand] = {
    0x137D: "geforce",  # GeForce 940A
    0x24BF: "geforce",  # GeForce RTX 3070, a sample
    0x1389: "pro",  # GRID M30
    0x1613: "pro",  # GRID M60
    0x1789: "pro",  # GRID M3-3020
    0x17C2: "titan",  # GeForce GTX TITAN X
    0x1B00: "titan",  # TITAN X
    0x1B02: "titan",  # TITAN Xp
    0x1D81: "titan",  # TITAN V
    0x1E02: "titan",  # TITAN RTX
    0x2681: "titan",  # an Ada TITAN that was never sold
    **dict.fromkeys((0x1B07, 0x1B87, 0x1BC7, 0x1C07, 0x1C09, 0x1C36), "mining"),  # P102 to P106
    **dict.fromkeys((0x15C2, 0x1D83, 0x1D84, 0x1DC1, 0x1DF4), "mining"),  # CMP 100
    **dict.fromkeys((0x1E09, 0x1F0B, 0x2189, 0x220D, 0x248A), "mining"),  # CMP 30HX to 90HX
    **dict.fromkeys((0x2082, 0x20C2), "mining"),  # CMP 170HX
}  # fmt: skip

_SERVERS = (
    (0x2300, 0x23FF), (0x2900, 0x29FF), (0x3180, 0x31FF), (0x3200, 0x327F), (0x3340, 0x337F),
)  # fmt: skip
"""Ids of GH100, GB100 and GB102, GB110, GB112, GB120: chips that only servers have."""

_SERVERS_AND_OTHERS = ((0x15C0, 0x15FF), (0x1720, 0x173F), (0x1D80, 0x1DFF), (0x2080, 0x20FF))
"""Ids of GP100, GV100, GA100: server chips that mining cards and a TITAN have too. Those have no
professional id."""

_BLOCKS = (
    (0x1340, 0x15BF), (0x1600, 0x16FF), (0x1740, 0x17FF),  # Maxwell
    (0x1B00, 0x1D7F),  # Pascal
    (0x1E00, 0x1FFF), (0x2180, 0x21FF),  # Turing
    (0x2200, 0x227F), (0x2400, 0x25FF),  # Ampere
    (0x2680, 0x28FF),  # Ada
    (0x2B80, 0x2DFF), (0x2F00, 0x2F7F),  # Blackwell
)  # fmt: skip
"""Ids of chips that both GeForce and professional cards have."""

_SYSTEMS = ((0x2B00, 0x2B7F), (0x2E00, 0x2EFF))
"""Ids of systems on a chip: Thor, GB10. Their names show no brand."""


def brand_by_name(title: str) -> Brand:
    """The brand in a marketing name; ``unknown`` if there is none."""
    if _TITAN.search(title):
        return "titan"
    if _GEFORCE.search(title):
        return "geforce"
    if _MINING.search(title):
        return "mining"
    return "pro" if _PRO.search(title) else "unknown"


def brand_by_id(device: str, name: str = "") -> Brand:
    """The brand of a device id (four hex digits). It is ``unknown`` if the id does not tell, or if
    the chip in ``name`` is a professional card's and the id is not."""
    try:
        number = int(device, 16)
    except ValueError:
        return "unknown"
    if number in _EXCEPTIONS:
        return _EXCEPTIONS[number]
    if _within(number, _SERVERS):
        return "pro"
    if number & _PROFESSIONAL_BITS == _PROFESSIONAL_BITS:
        known = _within(number, (*_BLOCKS, *_SERVERS_AND_OTHERS)) and number & 0x3F not in _SAMPLES
        return "pro" if known else "unknown"
    return "geforce" if _within(number, _BLOCKS) and not _CHIP_GL.search(name) else "unknown"


def is_system(device: str) -> bool:
    """Whether a device id (four hex digits) belongs to a system on a chip."""
    try:
        return _within(int(device, 16), _SYSTEMS)
    except ValueError:
        return False


def _within(number: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= number <= last for first, last in ranges)
