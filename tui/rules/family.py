"""What an NVIDIA card is, from its PCI id, and whether NVIDIA lets a guest have it.

The family is read from the device id alone: it is known for a card on vfio-pci,
for one that no driver supports any more, and where the name lies (a GT 730 is
Fermi or Kepler, a GTX 860M Kepler or Maxwell). The name tells brand and form; where it does
not tell the brand, the id does (``tui.rules.brand``).
"""

from __future__ import annotations

import re
from bisect import bisect_right

from tui.model import Brand, Family, Form, NvidiaModel, PciFunction, Verdict
from tui.rules.brand import brand_by_id, brand_by_name, is_system

NVIDIA = "10de"
"""PCI vendor id of NVIDIA."""

PRE_KEPLER: tuple[Family, ...] = ("before Fermi", "Fermi")
"""Families that no driver from R465 on supports."""

NEWER_NAMES = "get newer names of PCI devices: run `update-pciids`, or update the package hwdata"
"""What may settle a brand or form that neither the name nor the id tells."""

NEWER_VFIOTOP = "update vfiotop: this card is newer than it"

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
"""First id, last id, family of the GPUs in between, in order. Ids of a GPU's other
functions (audio, USB) lie elsewhere and are not looked up."""

_STARTS = tuple(first for first, _, _ in _RANGES)

_CHIP_M = re.compile(r"\b(GF|GK|GM|GP|GV|TU|GA|AD|GB|GT|G|C|NV)\d{2,3}[A-Z]*M\b")
_MOBILE = re.compile(r"\b(Mobile|Max-Q|Laptop|Go)\b", re.I)
_MODEL_M = re.compile(r"\b[A-Z]?\d{3,4}MX?\b|\bGeForce MX\d{3}\b")
_HAS_MODEL_M = re.compile(r"\b(GeForce|Quadro|NVS)\b", re.I)


def nvidia_model(device: str, name: str) -> NvidiaModel:
    """The model behind a device id (four hex digits) and its name in pci.ids, which may be a
    bare chip (``GP104``) or bare ids (``10de:2bb1``).

    Where neither tells the brand, that is ``unknown``; what else neither tells is ``None``.
    """
    title = _title(name)
    named = brand_by_name(title)
    brand = named if named != "unknown" else brand_by_id(device, name)
    by_id = named == "unknown" and brand != "unknown"
    return NvidiaModel(_family(device), brand, _form(name, title, named), by_id)


def r465_family(model: NvidiaModel) -> tuple[Verdict, str]:
    """Whether NVIDIA supports the card in a guest, and why, as a sentence.

    From driver R465 on, desktop GeForce and TITAN cards may be passed through from
    Kepler on, notebook ones from Maxwell on; professional cards always were.
    """
    verdict, why = _r465_family(model)
    by_id = " (the name tells no brand, the PCI id does)" if model.brand_by_id else ""
    return verdict, f"{why}{by_id}"


def newer_names(function: PciFunction) -> str | None:
    """What may give an NVIDIA card a name, where it has none: a name that is there and tells no
    brand does not change, and that of a system on a chip tells none."""
    nameless = function.name == f"{function.vendor}:{function.device}"
    return NEWER_NAMES if nameless and not is_system(function.device) else None


def family_fix(model: NvidiaModel, names: str | None = NEWER_NAMES) -> str | None:
    """What settles an ``unknown`` verdict, where something can. ``names`` is what may give the
    card a name. No name tells the family."""
    if model.brand == "mining":
        return None
    return NEWER_VFIOTOP if model.family is None else names


def _r465_family(model: NvidiaModel) -> tuple[Verdict, str]:
    if model.brand == "mining":
        return "unknown", "a mining card: NVIDIA does not say whether a guest may have it"
    if model.brand == "unknown":
        return "unknown", (
            "neither the name nor the PCI id tells whether it is a GeForce or a professional card"
        )
    if model.family is None:
        return "unknown", "the device id belongs to no known family"
    return _professional(model.family) if model.brand == "pro" else _geforce(model)


def _professional(family: Family) -> tuple[Verdict, str]:
    if family in PRE_KEPLER:
        return "warn", f"professional cards are not restricted, but no R465 driver is for {family}"
    return "pass", "professional cards are not restricted"


def _geforce(model: NvidiaModel) -> tuple[Verdict, str]:
    family, form = model.family, model.form
    kind = f"{'TITAN' if model.brand == 'titan' else 'GeForce'} {family}"
    if family == "Kepler" and form is None:
        return "unknown", f"{kind}: allowed on desktops only, and the name does not tell the form"
    if family in PRE_KEPLER or (family == "Kepler" and form == "notebook"):
        first = "notebooks from Maxwell" if form == "notebook" else "desktops from Kepler"
        return "fail", f"{kind}: NVIDIA allows GeForce in a guest on {first} on"
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
    """The marketing name: what pci.ids has in brackets, else all of the name, which
    may then be a bare chip (``GP104``) or bare ids (``10de:2bb1``)."""
    _, _, rest = name.partition("[")
    return rest.rpartition("]")[0] or name


def _form(name: str, title: str, brand: Brand) -> Form | None:
    """``notebook`` by the chip's ``M`` (GK104M), a word for it, or the model's ``M``
    (GTX 860M, 940MX). The last counts for some lines only: a Tesla K20m or an A10M
    is a server's."""
    if _CHIP_M.search(name) or _MOBILE.search(title):
        return "notebook"
    if brand == "unknown":
        return None
    by_model = _HAS_MODEL_M.search(title) and _MODEL_M.search(title)
    return "notebook" if by_model else "desktop"
