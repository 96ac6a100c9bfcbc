"""The modules that the initramfs loads first, in the configuration of the program that makes it.

The configuration says what the next initramfs will do; what the current one did shows in sysfs. The
files are shell: only plain assignments are read, and with any other the modules are not known.

Source: mkinitcpio.conf(5), dracut.conf(5), initramfs-tools(7) on /etc/initramfs-tools/modules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tui.host.readiness.boot_files import FILES_LIMIT, LINES_LIMIT
from tui.host.tree import Tree, exists, text_of
from tui.host.untrusted import visible
from tui.model import Initramfs, InitramfsMaker, ModuleRule

PROGRAMS: Mapping[InitramfsMaker, str] = {
    "mkinitcpio": "usr/bin/mkinitcpio", "dracut": "usr/bin/dracut",
    "initramfs-tools": "usr/sbin/update-initramfs",
}  # fmt: skip
"""A program that each installs. Configuration files alone may be left over from another one."""

MKINITCPIO = ("etc/mkinitcpio.conf", "etc/mkinitcpio.conf.d")
DRACUT = ("etc/dracut.conf", "usr/lib/dracut/dracut.conf.d", "etc/dracut.conf.d")
TOOLS = ("usr/share/initramfs-tools/modules.d", "etc/initramfs-tools/modules")

WORDS_LIMIT = 256
"""Words of one list, or modules of initramfs-tools, that are read."""

LISTS = ("MODULES", "HOOKS", "FILES", "force_drivers")
"""The variables that are read."""

COMMENT = re.compile(r"(?:^|(?<=[ \t]))#.*", re.MULTILINE)

ASSIGNED = re.compile(
    rf"""^[ \t]*({"|".join(LISTS)})(\+?)=(?:\(([^()]{{0,4096}})\)|"([^"\n]*)"|'([^'\n]*)'"""
    r"""|([^\s"'()]*))[ \t]*$""",
    re.MULTILINE,
)
"""A variable, whether it is added to, and its words in one of four groups."""

MENTIONED = re.compile(rf"\b({'|'.join(LISTS)})\+?=")

_PLAIN = re.compile(r"[A-Za-z0-9_./:,@?*-]{1,200}")
_TEXT_LIMIT = 96


class Word(NamedTuple):
    """A word of a list, and where it is."""

    text: str
    file: str
    line: int


class _Unclear(Exception):
    """A list has more than plain words."""


def initramfs(root: Tree) -> Initramfs | None:
    """Return what the initramfs loads; ``None`` if nothing, or more than one program, makes it, or
    its configuration cannot be read."""
    makers = [maker for maker, program in PROGRAMS.items() if exists(root, program)]
    if len(makers) != 1:
        return None
    try:
        return _READERS[makers[0]](root)
    except _Unclear:
        return None


def _mkinitcpio(root: Tree) -> Initramfs:
    """Its hook modconf copies modprobe.d; FILES may name files there."""
    lists = _lists(root, [MKINITCPIO[0], *_in(root, MKINITCPIO[1])])
    copies = [*lists.get("HOOKS", ()), *lists.get("FILES", ())]
    return Initramfs(
        "mkinitcpio", tuple(_loads(lists.get("MODULES", ()))),
        modprobe=any(w.text == "modconf" or "/modprobe.d/" in w.text for w in copies),
        file=f"/{MKINITCPIO[0]}",
    )  # fmt: skip


def _dracut(root: Tree) -> Initramfs:
    """Of files with the same name, the one in /etc counts. What is only added is left to udev."""
    parts = {n.rpartition("/")[2]: n for folder in DRACUT[1:] for n in _in(root, folder)}
    lists = _lists(root, [DRACUT[0], *(parts[name] for name in sorted(parts))])
    loads = tuple(_loads(lists.get("force_drivers", ())))
    return Initramfs("dracut", loads, file=f"/{DRACUT[2]}/vfio.conf")


def _tools(root: Tree) -> Initramfs:
    """Each line is a module and its parameters."""
    found: list[ModuleRule] = []
    for name in (*_in(root, TOOLS[0], ""), TOOLS[1]):
        for number, line in enumerate(text_of(root, name).split("\n")[:LINES_LIMIT], 1):
            words = line.partition("#")[0].strip().split(maxsplit=1)
            if words:
                found += _load(Word(words[0], f"/{name}", number), *words[1:])
    return Initramfs("initramfs-tools", tuple(found[:WORDS_LIMIT]), file=f"/{TOOLS[1]}")


_READERS = {"mkinitcpio": _mkinitcpio, "dracut": _dracut, "initramfs-tools": _tools}


def _loads(words: Sequence[Word]) -> Iterator[ModuleRule]:
    for word in words:
        yield from _load(word)


def _load(word: Word, arguments: str = "") -> Iterator[ModuleRule]:
    """Yield the rule that loads a module. mkinitcpio marks one that may be missing with ``?``."""
    module = word.text.removesuffix("?").replace("-", "_")
    shown = visible(" ".join(filter(None, (word.text, arguments))), _TEXT_LIMIT)
    yield ModuleRule("load", module, arguments, shown, visible(word.file), word.line)


def _in(root: Tree, folder: str, suffix: str = ".conf") -> list[str]:
    try:
        names = sorted(name for name in root.names(folder) if name.endswith(suffix))
    except OSError:
        return []
    return [f"{folder}/{name}" for name in names[:FILES_LIMIT]]


def _lists(root: Tree, names: list[str]) -> dict[str, list[Word]]:
    """Return the lists that shell files, read in order, assign to variables."""
    found: dict[str, list[Word]] = {}
    for name in names:
        for variable, adds, words in _assigned(text_of(root, name), f"/{name}"):
            found[variable] = [*(found.get(variable, ()) if adds else ()), *words][:WORDS_LIMIT]
    return found


def _assigned(text: str, file: str) -> Iterator[tuple[str, bool, list[Word]]]:
    """Yield each variable assigned, whether it is added to, and the words. Raises
    ``_Unclear`` for anything but plain words on lines of their own."""
    text = without_comments(text)
    line, at = 1, 0
    for each in ASSIGNED.finditer(text):
        if MENTIONED.search(text, at, each.start(1)):
            raise _Unclear
        line, at = line + text.count("\n", at, each.start(1)), each.start(1)
        words = []
        for number, written in enumerate(text[slice(*span_of_words(each))].split("\n"), line):
            words += [Word(word, file, number) for word in written.split()]
        if not all(_PLAIN.fullmatch(word.text) for word in words):
            raise _Unclear
        yield each[1], bool(each[2]), words
        line, at = line + text.count("\n", at, each.end()), each.end()
    if MENTIONED.search(text, at):
        raise _Unclear


def without_comments(text: str) -> str:
    """Return shell text with spaces in place of comments."""
    return COMMENT.sub(lambda comment: " " * len(comment[0]), text)


def span_of_words(assigned: re.Match[str]) -> tuple[int, int]:
    """Return where the words of an assignment are."""
    return next(assigned.span(group) for group in range(3, 7) if assigned[group] is not None)
