"""Names of GPUs, shortened from those in pci.ids: ``AD102 [GeForce RTX 4090]``."""

from __future__ import annotations

import re
from functools import lru_cache

from widgets.figures import model_name

_IDS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_IN_PARENTHESES = re.compile(r"\([^()]*\)")
_NOISE = re.compile(
    r"\b(?:GeForce|Lite Hash Rate|Rev\. \w+|Generation|OEM|Refresh|Laptop GPU|Graphics|Controller"
    r"|Family|processor|NVIDIA|AMD)(?!\w)|\bPCIe\b.*|\bRadeon (?=RX|R[579]|HD|Pro)"
)
_NUMBER = re.compile(r"[A-Z]*\d{2,}[A-Za-z]*")
_SUFFIXES = ("Ti", "SUPER", "XT", "XTX", "GRE", "Ada", "D")
"""Words after a number that make it a different model."""

TWO_NUMBERS = 9
"""Cells for two model numbers of one PCI id in the short name: ``6670/7670``."""


@lru_cache(maxsize=256)
def card_name(name: str) -> str:
    """The model without its brand: ``RTX 4090``. Never empty.

    If one PCI id stands for several models, it is what their names share, such as ``RX 7900``, or
    else the first and the last of them.
    """
    text = _IN_PARENTHESES.sub("", model_name(name)).replace("Mobile / Max-Q", "Mobile")
    text = text.replace("Max-Q / Mobile", "Mobile")
    parts = (" ".join(_NOISE.sub("", part).split()) for part in text.split("/"))
    models = [part for part in parts if part]
    numbered = [each for each in models if any(c.isdigit() for c in each)] or models[:1]
    found = _together(numbered)
    return found if len(found) > len("UHD") else text.strip() or name.strip() or "?"


@lru_cache(maxsize=256)
def short_card_name(name: str) -> str:
    """The number alone, for the narrowest places: ``4090``; the model if it has none. Never
    empty."""
    model = card_name(name)
    if _IDS.fullmatch(model) or "Graphics" in name:
        return model
    words = model.split()
    for at, word in enumerate(words):
        first, dots, _ = word.partition("…")
        if not all(_NUMBER.fullmatch(each) for each in first.split("/")) or len(first) < 3:
            continue
        if "/" in first and len(first) > TWO_NUMBERS:
            continue
        more = words[at + 1 : at + 2]
        return first + (dots or "".join(f" {each}" for each in more if each in _SUFFIXES))
    return model


def _together(models: list[str]) -> str:
    """One name for several models of one PCI id."""
    if len(models) < 2:
        return "".join(models)
    first, *_, last = models
    numbers = [_NUMBER.search(each) for each in models]
    digits = {re.sub(r"[A-Za-z]+$", "", found[0]) for found in numbers if found}
    if len(digits) == 1 and None not in numbers:
        found = numbers[0]
        assert found is not None
        return first[: found.start()] + digits.pop()
    if not last[0].isdigit():
        return f"{first}…"
    return f"{first}/{last}" if len(models) == 2 and " " not in last else f"{first}…{last}"
