"""The kernel's command line, split as the kernel does it.

Source: lib/cmdline.c, next_arg, and kernel/params.c, parse_args.
"""

from __future__ import annotations

from collections.abc import Iterator

from tui.host.untrusted import visible
from tui.model import KernelOption

TEXT_LIMIT = 96
"""Characters of an option that are shown."""

_BLANKS = " \t\n\v\f\r"
_END = "--"
"""What follows is for init."""


def options(text: str, file: str, line: int | None = None) -> tuple[KernelOption, ...]:
    """Return the options of a command line that is in ``line`` of ``file``."""
    found = []
    for name, value in parameters(text):
        if value is None and name == _END:
            break
        written = name if value is None else f"{name}={value}"
        shown = visible(written, TEXT_LIMIT)
        found.append(KernelOption(name.replace("-", "_"), value, shown, visible(file), line))
    return tuple(found)


def parameters(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield names and values.

    Quotes protect spaces. Those around the whole word or around a value are removed; others stay.
    """
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in _BLANKS:
            at += 1
        if at >= end:
            return
        start, equals, quoted = at, None, text[at] == '"'
        inside = quoted
        if quoted:
            at = start = at + 1
        while at < end and (inside or text[at] not in _BLANKS):
            if text[at] == "=" and equals is None and at > start:
                equals = at
            if text[at] == '"':
                inside = not inside
            at += 1
        yield _split(text[start:at], None if equals is None else equals - start, quoted=quoted)
        at += 1


def _split(word: str, equals: int | None, *, quoted: bool) -> tuple[str, str | None]:
    if equals is None:
        return (word[:-1] if quoted and word.endswith('"') else word), None
    name, value = word[:equals], word[equals + 1 :]
    if value.startswith('"'):
        value = value[1:]
        closed = value.endswith('"')
        return name, value[:-1] if closed else value
    return name, value[:-1] if quoted and value.endswith('"') else value
