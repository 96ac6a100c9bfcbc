"""Text from outside, made safe to draw: bounded, one line, no control characters."""

from __future__ import annotations

import unicodedata

NAME_LIMIT = 120
"""Characters of a name that are kept; nothing real is longer."""

_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, limit: int = NAME_LIMIT) -> str:
    """``text`` without control, format (bidi overrides too) and unassigned characters,
    white space runs as one blank, at most ``limit`` characters with an ellipsis.

    Escape sequences lose their ESC and are then plain text.
    """
    text = text[: 4 * limit]
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or _drawable(c))
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def _drawable(character: str) -> bool:
    return unicodedata.category(character) not in _DROPPED


# --- names that must be told apart ------------------------------------------------

_LATIN = frozenset((*range(0xC0, 0x180), *range(0x1E00, 0x1F00)))
"""Letters beyond ASCII that stand among ASCII's: Latin-1, Extended-A, Extended Additional."""

_BLANK = "\u115f\u1160\u2800"
"""Letters and signs that are drawn as nothing."""


def visible(text: str, limit: int = NAME_LIMIT) -> str:
    """``text`` with an escape, as Python writes it, for every character that a reader would
    miss or take for another: ``gaming\\u200b``. Two texts that differ are never shown alike,
    but for what is cut after ``limit`` characters and for words of one foreign alphabet that
    look like words of another.

    Escaped are control, format, unassigned and combining characters, blanks that are not
    between two words, the backslash, what Unicode takes for a variant of another character
    (NFKC), and beside ASCII letters all that may resemble one: of what is beyond ASCII only
    Latin letters with their accents and East Asian characters are left.
    """
    latin = any(c.isascii() and c.isalpha() for c in text)
    kept = text[:limit]
    last = len(kept) - 1
    shown = "".join(
        c if _unmistakable(c, latin=latin, inner=0 < at < last and kept[at - 1] != " ")
        else _escaped(c)
        for at, c in enumerate(kept)
    )  # fmt: skip
    return shown if len(text) <= limit else f"{shown}…"


def shown_name(name: str, uuid: str) -> tuple[str, str | None]:
    """A domain's name as it is shown, and the raw one where that is another. One that is cut
    has its UUID behind it."""
    shown = f"{visible(name)} {uuid}" if len(name) > NAME_LIMIT else visible(name) or uuid
    return shown, None if shown == name else name


def _unmistakable(character: str, *, latin: bool, inner: bool) -> bool:
    """Whether a character may be shown as it is. ``latin``: it stands in a name with ASCII
    letters; ``inner``: it is neither at an end nor behind a blank."""
    if character == " ":
        return inner
    if character.isascii():
        return character.isprintable() and character != "\\"
    category = unicodedata.category(character)
    if category in _DROPPED or category[0] in "MZ" or character in _BLANK:
        return False
    if unicodedata.normalize("NFKC", character) != character:
        return False
    wide = unicodedata.east_asian_width(character) == "W"
    letter = category[0] == "L" and ord(character) in _LATIN
    return not latin or wide or letter


def _escaped(character: str) -> str:
    return r"\x20" if character == " " else character.encode("unicode_escape").decode()


def alike(text: str, *names: str) -> bool:
    """Whether a person could have meant one of ``names`` with ``text``: no two texts that look
    the same, or differ in case only, are told apart. For a hint, never to decide."""
    return _outline(text) in {_outline(name) for name in names}


def _outline(text: str) -> str:
    return clean(unicodedata.normalize("NFKC", text[: 4 * NAME_LIMIT])).casefold()
