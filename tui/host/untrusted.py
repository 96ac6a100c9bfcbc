"""Text from outside, made safe to draw: bounded, one line, no control characters."""

from __future__ import annotations

import unicodedata

NAME_LIMIT = 120
"""Characters of a name that are shown; no real name is longer."""

_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, limit: int = NAME_LIMIT) -> str:
    """Return ``text`` without control, format (bidi overrides too) and unassigned characters.

    Each run of white space becomes one space; the result has at most ``limit`` characters and ends
    with an ellipsis where it was cut. Escape sequences lose their ESC and become plain text.
    """
    text = text[: 4 * limit]
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if c.isspace() else c for c in text if c.isspace() or _drawable(c))
    kept = " ".join(text.split())
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def _drawable(character: str) -> bool:
    return unicodedata.category(character) not in _DROPPED


# --- names that must not be confused ------------------------------------------------

_LATIN = frozenset((*range(0xC0, 0x180), *range(0x1E00, 0x1F00)))
"""Letters beyond ASCII that mix with ASCII's: Latin-1, Extended-A, Extended Additional."""

_BLANK = "\u115f\u1160\u2800"
"""Letters and signs that are drawn as blank."""


def visible(text: str, limit: int = NAME_LIMIT) -> str:
    """Escape characters that a reader would miss or mistake, as Python does: ``gaming\\u200b``.

    Two texts that differ never look alike, except for what is cut after ``limit`` characters, and
    for words in one foreign alphabet that look like words in another.

    Escaped are control, format, unassigned and combining characters, spaces that are not between
    two words, the backslash, and what Unicode treats as a variant of another character (NFKC). Next
    to ASCII letters, everything that may resemble one is escaped too: beyond ASCII, only accented
    Latin letters and East Asian characters remain.
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
    """Return a domain's name as shown, and the raw name if that differs.

    A name that is cut is followed by the UUID.
    """
    shown = f"{visible(name)} {uuid}" if len(name) > NAME_LIMIT else visible(name) or uuid
    return shown, None if shown == name else name


def _unmistakable(character: str, *, latin: bool, inner: bool) -> bool:
    """Whether a character can be shown as it is.

    ``latin``: the name also has ASCII letters. ``inner``: the character is neither at an end nor
    after a space.
    """
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
    """Whether somebody who typed ``text`` may have meant one of ``names``.

    Texts that look the same, or differ only in case, count as the same. For a hint, never to
    decide.
    """
    return _skeleton(text) in {_skeleton(name) for name in names}


def _skeleton(text: str) -> str:
    return clean(unicodedata.normalize("NFKC", text[: 4 * NAME_LIMIT])).casefold()
