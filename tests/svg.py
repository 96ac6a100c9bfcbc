"""Pictures of a terminal, as stored in the repository."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_TEXT = re.compile(
    r'<text([^>]*) x="([0-9.]+)"([^>]*) textLength="([0-9.]+)"([^>]*)>([^<]*&#160;[^<]*)</text>'
)
BLANK = "&#160;"
_ROOT = re.compile(r'<svg [^>]*viewBox="0 0 ([0-9.]+) ([0-9.]+)"')
_SIGN = re.compile(r"&#?\w+;|.")


def with_own_fonts(svg: str) -> str:
    """The picture without fonts from an external server, and with every word placed in its own
    cells."""
    svg = re.sub(r"@font-face\s*{[^}]*}", "", svg)
    return _TEXT.sub(_words, svg).replace("Fira Code", "DejaVu Sans Mono")


def _words(match: re.Match[str]) -> str:
    """A text, split wherever it has two or more blanks. A browser stretches a text to its length,
    but stretches blanks differently from characters of another font, such as braille."""
    return "".join(_pieces(*match.groups()))


def _pieces(before: str, x: str, middle: str, length: str, after: str, text: str) -> Iterator[str]:
    signs = _SIGN.findall(text)
    cell = float(length) / len(signs)
    start = 0
    for index, sign in enumerate([*signs, BLANK, BLANK]):
        apart = sign == BLANK and (index >= len(signs) - 1 or signs[index + 1] == BLANK)
        if not apart and not (sign == BLANK and index == start):
            continue
        if index > start:
            at, wide = float(x) + start * cell, (index - start) * cell
            word = "".join(signs[start:index])
            yield f'<text{before} x="{at:.1f}"{middle} textLength="{wide:.1f}"{after}>{word}</text>'
        start = index + 1


def moving(frames: Sequence[tuple[str, float]]) -> str:
    """Pictures of one size shown in turn, each for some seconds, and again from the beginning. A
    user who asked for reduced motion sees the first."""
    root = _ROOT.search(frames[0][0])
    assert root is not None
    width, height = root.groups()
    length = sum(seconds for _, seconds in frames)
    rules, drawn, began = [], [], 0.0
    for number, (svg, seconds) in enumerate(frames):
        ends = began + seconds
        rules.append(
            f"@keyframes f{number} {{ {_share(began, length)} {{ visibility: visible }} "
            f"{_share(ends, length)} {{ visibility: hidden }} }} "
            f".f{number} {{ animation: f{number} {length:g}s step-end infinite }}"
        )
        drawn.append(f'<g class="frame f{number}">{svg}</g>')
        began = ends
    style = (
        ".frame { visibility: hidden } " + " ".join(rules) + " @media (prefers-reduced-motion: "
        "reduce) { .frame { animation: none } .f0 { visibility: visible } }"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f"<style>{style}</style>{''.join(drawn)}</svg>\n"
    )


def _share(seconds: float, of: float) -> str:
    return f"{100 * seconds / of:.3f}%"
