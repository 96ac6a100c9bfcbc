"""modprobe's configuration (modprobe.d(5)), read as kmod does.

Of files with the same name, the one in the first folder counts; files are read in the order of
their names. In a module's name a dash is an underscore.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tui.host.tree import Tree, text_of
from tui.host.untrusted import visible
from tui.model import ModuleDirective, ModuleRule

FOLDERS = (
    "etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d",
    "lib/modprobe.d",
)  # fmt: skip

FILES_LIMIT = 256
LINES_LIMIT = 4096
"""Files to read in all folders, and lines in one of them."""

TEXT_LIMIT = 96
"""Characters of a line that are shown."""

_DIRECTIVES: dict[str, ModuleDirective] = {
    "blacklist": "blacklist", "install": "install", "options": "options",
    "softdep": "softdep",
}  # fmt: skip
_BLANKS = re.compile(r"[ \t]+")


def module_rules(root: Tree) -> tuple[ModuleRule, ...]:
    """Return the rules for modules in the host's files, without aliases."""
    files: dict[str, str] = {}
    for folder in FOLDERS:
        try:
            names = root.names(folder)
        except OSError:
            continue
        for name in names:
            if name.endswith(".conf"):
                files.setdefault(name, folder)
    return tuple(
        rule
        for name in sorted(files)[:FILES_LIMIT]
        for rule in rules(text_of(root, f"{files[name]}/{name}"), f"/{files[name]}/{name}")
    )


def rules(text: str, file: str) -> Iterator[ModuleRule]:
    """Yield the rules in the text of a file."""
    for number, line in _lines(text):
        words = _BLANKS.split(line.strip(" \t"), maxsplit=2)
        directive = _DIRECTIVES.get(words[0])
        if directive is not None and len(words) > 1:
            module = words[1].replace("-", "_")
            rest = words[2] if len(words) > 2 else ""
            shown = visible(" ".join(words), TEXT_LIMIT)
            yield ModuleRule(directive, module, rest, shown, visible(file), number)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank or comments, with their numbers from 1.

    A backslash at the end joins a line to the next.
    """
    lines = iter(enumerate(text.split("\n")[:LINES_LIMIT], 1))
    for number, line in lines:
        whole = line
        while whole.endswith("\\"):
            whole = whole[:-1] + next(lines, (0, ""))[1]
        if whole.strip(" \t") and not whole.startswith("#"):
            yield number, whole
