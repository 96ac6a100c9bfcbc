"""Writes manual pages in man(7) from a small subset of Markdown:

    # SECTION, ## Subsection
    `bold`, *italic*, \\* for a character as it is
    a term, then a line with ``:   ``, then others with four spaces: a definition
    four spaces after an empty line: an example; eight in a definition
    a line that ends with a backslash: a line break

The output is ASCII, so that a page does not depend on the locale it is read in.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

INDENT = " " * 4

WIDTH = 80
"""Columns of a line of the output."""

_HEAD = r""".\" Made by `make manual`.
.\" Nothing is hyphenated or stretched: much of it is there to be copied."""

_SENTENCE = re.compile(r"(?<=[.?!]) (?=\S)")

_INLINE = re.compile(
    r"\\(?P<plain>.)|`(?P<bold>(?:\\.|[^`\\])+)`|\*(?P<italic>[^*]+)\*|(?P<other>.)", re.S
)

_CHARACTERS = {
    "\\": r"\e", "-": r"\-", "^": r"\(ha", "~": r"\(ti", "`": r"\(ga", '"': r"\(dq", "'": r"\(aq",
    "’": "'", "“": r"\(lq", "”": r"\(rq", "–": r"\(en", "…": "...", "→": r"\(->", "←": r"\(<-",
}  # fmt: skip
"""How man(7) writes characters that groff or another formatter would interpret."""


def page(name: str, section: int, date: str, version: str, text: str) -> str:
    """The page in man(7). Raises ``ValueError`` for text that this module does not understand."""
    head = f'.TH {name.upper()} {section} {date} "vfiotop {version}"'
    return "\n".join([_HEAD, head, ".nh", ".ad l", *_blocks(text)]) + "\n"


def plain(text: str) -> str:
    """Escape plain text for a page: what is in backticks is bold, everything else is literal."""
    return re.sub(r"[\\*]", r"\\\g<0>", text)


def _blocks(text: str) -> Iterator[str]:
    """The parts of a text, separated by blank lines. A definition continues as long as its lines
    are indented."""
    parts = re.split(r"\n{2,}(?!    )", text.strip("\n"))
    headed = False
    for part in parts:
        first, _, rest = part.partition("\n")
        if first.startswith("#"):
            yield _heading(part)
        elif rest.startswith(":   "):
            yield from _definition(first, rest)
        else:
            if not headed:
                yield ".PP"
            yield from _paragraphs(part)
        headed = first.startswith("#")


def _heading(line: str) -> str:
    found = re.fullmatch(r"(##?) (.+)", line)
    if found is None:
        raise ValueError(f"not a heading on a line of its own: {line}")
    return f".{'SH' if found[1] == '#' else 'SS'} {inline(found[2])}"


def _definition(term: str, rest: str) -> Iterator[str]:
    yield ".TP"
    yield _guarded(inline(term))
    yield from _paragraphs(textwrap.dedent(f" {rest[1:]}"), within=True)


def _paragraphs(text: str, *, within: bool = False) -> Iterator[str]:
    """Paragraphs and examples. Those ``within`` a definition keep its indentation."""
    for index, part in enumerate(text.split("\n\n")):
        if index:
            yield ".IP" if within else ".PP"
        if part.startswith(INDENT):
            example = (".nf", *map(verbatim, textwrap.dedent(part).split("\n")), ".fi")
            yield from example if within else (".RS 4", *example, ".RE")
        else:
            yield from _prose(part)


def _prose(text: str) -> Iterator[str]:
    """A paragraph, each sentence on lines of its own: man(7) puts two spaces between them."""
    for index, broken in enumerate(text.split("\\\n")):
        if index:
            yield ".br"
        for sentence in _SENTENCE.split(broken.replace("\n", " ")):
            lines = textwrap.wrap(
                inline(sentence), WIDTH, break_long_words=False, break_on_hyphens=False
            )
            yield from map(_guarded, lines)


def inline(text: str) -> str:
    """A line of prose."""
    shown = []
    for match in _INLINE.finditer(text):
        for font, letter in (("bold", "B"), ("italic", "I")):
            if match[font] is not None:
                literal = re.sub(r"\\(.)", r"\1", match[font])
                shown.append(rf"\f{letter}{_escaped(literal)}\fR")
        # An apostrophe in prose is a typographic one.
        shown.append(_escaped((match["plain"] or match["other"] or "").replace("'", "’")))
    return "".join(shown)


def verbatim(line: str) -> str:
    """A line of an example."""
    return _guarded(_escaped(line))


def _escaped(text: str) -> str:
    return "".join(_CHARACTERS.get(c) or (c if c.isascii() else rf"\[u{ord(c):04X}]") for c in text)


def _guarded(line: str) -> str:
    """A line that is taken as text even if it starts like a request."""
    return rf"\&{line}" if line.startswith((".", "'")) else line
