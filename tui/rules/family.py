"""The model of an NVIDIA card, and whether NVIDIA supports it in a guest.

The family comes from the device id alone. So it is known for a card on vfio-pci, for one that no
driver supports any more, and for ambiguous names (a GT 730 is Fermi or Kepler, a GTX 860M Kepler
or Maxwell). The name shows brand and form; if it shows no brand, the id does (``tui.rules.brand``).
"""

from __future__ import annotations

import re
from bisect import bisect_right

from tui.model import Brand, Family, Form, NvidiaModel, PciFunction, Verdict
from tui.rules.brand import brand_by_id, brand_by_name, is_system

PRE_KEPLER: tuple[Family, ...] = ("before Fermi", "Fermi")
"""Families that no driver supports since R465."""

NEWER_NAMES = "update the PCI names: run `update-pciids`, or update the package hwdata"
"""The fix for a brand or form that neither the name nor the id shows."""

NEWER_VFIOTOP = "update vfiotop: the card is newer than this version"

_RANGES: tuple[tuple[int, int, Family], ...] = (
    (0x0000, 0x06BF, "before Fermi"),
    (0x06C0, 0x06DF, "Fermi"),
    (0x06E0, 0x0DBF, "before Fermi"),
    (0x0DC0, 0x0DFF, "Fermi"),
    (0x0E00, 0x0E1F, "before Fermi"),
    (0x0E20, 0x0E3F, "Fermi"),
    (0x0E40, 0x0EFF, "before Fermi"),
    (0x0F00, 0x0F1F, "Fermi"),
    (0x0F20, 0x0F9F, "before Fermi"),
    (0x0FA0, 0x103F, "Kepler"),
    (0x1040, 0x10BF, "Fermi"),
    (0x10C0, 0x10DF, "before Fermi"),  # late GT218: GeForce 405, 8400 GS Rev. 3, NVS 300
    (0x10E0, 0x117F, "Fermi"),
    (0x1180, 0x11FF, "Kepler"),
    (0x1200, 0x127F, "Fermi"),
    (0x1280, 0x133F, "Kepler"),
    (0x1340, 0x15BF, "Maxwell"),
    (0x15C0, 0x15FF, "Pascal"),
    (0x1600, 0x16FF, "Maxwell"),
    (0x1720, 0x173F, "Pascal"),
    (0x1740, 0x17FF, "Maxwell"),
    (0x1B00, 0x1D7F, "Pascal"),
    (0x1D80, 0x1DFF, "Volta"),
    (0x1E00, 0x1FFF, "Turing"),
    (0x2080, 0x20FF, "Ampere"),
    (0x2180, 0x21FF, "Turing"),
    (0x2200, 0x22FF, "Ampere"),
    (0x2300, 0x23FF, "Hopper"),
    (0x2400, 0x25FF, "Ampere"),
    (0x2680, 0x28FF, "Ada"),
    (0x2900, 0x2FFF, "Blackwell"),
    (0x3180, 0x33FF, "Blackwell"),
)
"""First id, last id and family, in order. Ids of a GPU's other functions (audio, USB) are in other
ranges and are not looked up."""

_STARTS = tuple(first for first, _, _ in _RANGES)

_CHIP_M = re.compile(r"\b(GF|GK|GM|GP|GV|TU|GA|AD|GB|GT|G|C|NV)\d{2,3}[A-Z]*M\b")
_MOBILE = re.compile(r"\b(Mobile|Max-Q|Laptop|Go)\b", re.I)
_MODEL_M = re.compile(r"\b[A-Z]?\d{3,4}MX?\b|\bGeForce MX\d{3}\b")
_HAS_MODEL_M = re.compile(r"\b(GeForce|Quadro|NVS)\b", re.I)


def nvidia_model(device: str, name: str) -> NvidiaModel:
    """The model for a device id (four hex digits) and its name in pci.ids, which may be a bare
    chip (``GP104``) or bare ids (``10de:2bb1``).

    If neither shows the brand, it is ``unknown``; other values are ``None`` then.
    """
    title = _title(name)
    named = brand_by_name(title)
    brand = named if named != "unknown" else brand_by_id(device, name)
    by_id = named == "unknown" and brand != "unknown"
    return NvidiaModel(_family(device), brand, _form(name, title, named), by_id)


def r465_family(model: NvidiaModel) -> tuple[Verdict, str]:
    """Whether NVIDIA supports the card in a guest, and why, as a sentence.

    Since driver R465, desktop GeForce and TITAN cards are allowed from Kepler on, notebook ones
    from Maxwell on. Professional cards always were.
    """
    verdict, why = _r465_family(model)
    by_id = " (brand from the PCI id)" if model.brand_by_id else ""
    return verdict, f"{why}{by_id}"


def newer_names(function: PciFunction) -> str | None:
    """The fix for an NVIDIA card without a name. A newer list does not help a card that has a name,
    or a system on a chip, whose name shows no brand."""
    nameless = function.name == f"{function.vendor}:{function.device}"
    return NEWER_NAMES if nameless and not is_system(function.device) else None


def family_fix(model: NvidiaModel, names: str | None = NEWER_NAMES) -> str | None:
    """The fix for an ``unknown`` verdict, if there is one. ``names`` is the fix for the card's
    name; no name shows the family."""
    if model.brand == "mining":
        return None
    return NEWER_VFIOTOP if model.family is None else names


def _r465_family(model: NvidiaModel) -> tuple[Verdict, str]:
    if model.brand == "mining":
        return "unknown", "a mining card: NVIDIA does not say whether it is allowed in a guest"
    if model.brand == "unknown":
        return "unknown", (
            "neither the name nor the PCI id shows whether it is a GeForce or a professional card"
        )
    if model.family is None:
        return "unknown", "the device id belongs to no known family"
    return _professional(model.family) if model.brand == "pro" else _geforce(model)


def _professional(family: Family) -> tuple[Verdict, str]:
    if family in PRE_KEPLER:
        return (
            "warn",
            f"professional cards are not restricted, but no driver supports {family} since R465",
        )
    return "pass", "professional cards are not restricted"


def _geforce(model: NvidiaModel) -> tuple[Verdict, str]:
    family, form = model.family, model.form
    kind = f"{'TITAN' if model.brand == 'titan' else 'GeForce'} {family}"
    if family == "Kepler" and form is None:
        return (
            "unknown",
            f"{kind}: allowed on desktops only, and the name does not say whether it is a desktop "
            "or a notebook card",
        )
    if family in PRE_KEPLER or (family == "Kepler" and form == "notebook"):
        first = "notebook cards from Maxwell" if form == "notebook" else "desktop cards from Kepler"
        return "fail", f"{kind}: NVIDIA allows GeForce passthrough only with {first} on"
    return "pass", f"{kind}: NVIDIA allows it in a guest"


def _family(device: str) -> Family | None:
    try:
        number = int(device, 16)
    except ValueError:
        return None
    index = bisect_right(_STARTS, number) - 1
    if index < 0 or number > _RANGES[index][1]:
        return None
    return _RANGES[index][2]


def _title(name: str) -> str:
    """The marketing name: the part in brackets in pci.ids, else the whole name, which may be a
    bare chip (``GP104``) or bare ids (``10de:2bb1``)."""
    _, _, rest = name.partition("[")
    return rest.rpartition("]")[0] or name


def _form(name: str, title: str, brand: Brand) -> Form | None:
    """``notebook`` by the chip's ``M`` (GK104M), by a word such as Mobile, or by the model's ``M``
    (GTX 860M, 940MX). The last counts only for some product lines: a Tesla K20m or an A10M is a
    server card."""
    if _CHIP_M.search(name) or _MOBILE.search(title):
        return "notebook"
    if brand == "unknown":
        return None
    by_model = _HAS_MODEL_M.search(title) and _MODEL_M.search(title)
    return "notebook" if by_model else "desktop"
