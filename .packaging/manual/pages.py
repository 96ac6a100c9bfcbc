"""The manual pages: hand-written text in which the program's tables replace each ``{{NAME}}``."""

from __future__ import annotations

import re
from pathlib import Path

from manual import commands
from manual.roff import page, plain
from tui import __version__
from tui.cli.arguments import make_parser
from tui.cli.families import FAMILIES
from tui.commands import AIMS, COMMANDS, REMAPPED, SIGNS, Command
from tui.config import KEYS_MEAN, SETTINGS
from tui.keymap import written
from tui.report.config import default_text

PAGES = (("vfiotop", 1), ("vfiotop.toml", 5))

_PLACE = re.compile(r"^\{\{(\w+)\}\}$", re.MULTILINE)
_NOTE = re.compile(r"^## (\S+)\n\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
_COMMANDS = re.compile(r"(?<=^# COMMANDS\n).*?(?=^# )", re.MULTILINE | re.DOTALL)


def made(date: str) -> dict[str, str]:
    """The pages by file name, with a date as YYYY-MM-DD."""
    return {
        f"{name}.{section}": page(name, section, date, __version__, text(f"{name}.{section}"))
        for name, section in PAGES
    }


def text(name: str) -> str:
    """A page before formatting. Raises ``KeyError`` for a placeholder that nothing replaces."""
    own = Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8")
    notes: dict[str, str] = {}
    if section := _COMMANDS.search(own):
        notes = dict(_NOTE.findall(section[0]))
        own = own.replace(section[0], _NOTE.sub("", section[0]))
    parser = make_parser(FAMILIES)
    filled = {
        "commands": commands.commands(parser, notes),
        "common_options": commands.common_options(parser),
        "own_options": commands.own_options(parser),
        "keys": keys(),
        "settings": settings(None),
        "watch_settings": settings("watch"),
        "keys_mean": KEYS_MEAN,
        "key_settings": key_settings(),
    }
    return _PLACE.sub(lambda place: filled[place[1]], own)


def keys() -> str:
    """The keys of the screen, grouped by aim as in its help."""
    parts = []
    for aim in AIMS:
        parts.append(f"## {aim}")
        parts += [
            f"{', '.join(f'`{key}`' for key in _shown(c))}\n:   {commands.sentence(c.help)}"
            for c in COMMANDS
            if c.aim == aim
        ]
    return "\n\n".join(parts)


def settings(table: str | None) -> str:
    """A definition for each key of a table of the configuration."""
    return "\n\n".join(
        f"`{s.name}` = *{_kind(s.example)}*\n"
        f":   {plain(s.means)} Default: {plain(default_text(s))}."
        for s in SETTINGS
        if s.table == table
    )


def _kind(example: object) -> str:
    """What a value of a setting is called."""
    if isinstance(example, tuple):
        return "list of strings"
    if isinstance(example, bool):
        return "true or false"
    return "number" if isinstance(example, float | int) else "string"


def key_settings() -> str:
    """A definition for each command whose keys can be changed."""
    return "\n\n".join(
        f'`{c.id}` = `"{written(c.keys)}"`\n:   {commands.sentence(c.help)}'
        for c in COMMANDS
        if c.id in REMAPPED
    )


def _shown(command: Command) -> list[str]:
    """The keys of a command as typed."""
    if command.shown_keys == "1-5":
        return [command.shown_keys]
    return [SIGNS.get(key, {"escape": "esc"}.get(key, key)) for key in command.each_key]
