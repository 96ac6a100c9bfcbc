"""The current configuration: as TOML, which can be loaded again, and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tui.commands import COMMANDS, REMAPPED
from tui.config import KEYS_MEAN, SETTINGS, Config, Setting
from tui.keymap import written
from tui.process.output import printable

WIDTH = 88
"""Columns of a comment."""


def as_toml(config: Config, *, ascii_only: bool = False) -> str:
    """Every key and its meaning. A key with its default value is commented out, so that a file made
    from this text follows the defaults of later versions."""
    lines = [
        *_comment(f"The configuration of vfiotop as it holds now, {_origin(config.file)}."),
        *_comment("A key after # is not set: it shows its default, or an example where vfiotop "
                  "decides. See vfiotop.toml(5)."),
    ]  # fmt: skip
    table = None
    for setting in SETTINGS:
        if setting.table != table:
            table = setting.table
            lines += ["", f"[{table}]"]
        value = getattr(config, setting.name)
        lines += ["", *_comment(setting.means), *_comment(f"Default: {default_text(setting)}")]
        shown = _toml(setting.example if value in (None, ()) else value, ascii_only=ascii_only)
        lines.append(f"{_mark(value != setting.default)}{setting.name} = {shown}")
    lines += ["", *_comment(KEYS_MEAN), "[keys]"]
    given = dict(config.keys)
    for command in COMMANDS:
        if command.id in REMAPPED:
            lines += _comment(f"{command.help}. Default: {_toml(written(command.keys))}")
            keys = _toml(written(given.get(command.id, command.keys)))
            lines.append(f"{_mark(command.id in given)}{command.id} = {keys}")
    return "\n".join(lines)


def as_json(config: Config) -> dict[str, Any]:
    """Every key with its value, its default and its meaning. ``null``: not set."""
    given = dict(config.keys)
    return {
        "schema": 1,
        "file": None if config.file is None else str(config.file),
        "config": _settings(config, None),
        "watch": _settings(config, "watch"),
        "keys": {
            command.id: {
                "value": written(given.get(command.id, command.keys)),
                "default": written(command.keys),
                "means": command.help,
            }
            for command in COMMANDS
            if command.id in REMAPPED
        },
    }


def _settings(config: Config, table: str | None) -> dict[str, Any]:
    return {
        setting.name: {
            "value": getattr(config, setting.name),
            "default": setting.default,
            "means": setting.means,
        }
        for setting in SETTINGS
        if setting.table == table
    }


def default_text(setting: Setting) -> str:
    """The default of a key as written in the file, or what vfiotop does without one."""
    return setting.unset or ("none" if setting.default == () else _toml(setting.default))


def _origin(file: Path | None) -> str:
    return f"from {printable(str(file))}" if file is not None else "without a file"


def _mark(is_set: bool) -> str:
    return "" if is_set else "#"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, WIDTH - 2, break_on_hyphens=False):
        yield f"# {line}"


def _toml(value: str | float | bool | tuple[str, ...], *, ascii_only: bool = False) -> str:
    """A value as TOML in which every character is printable, so that nothing escapes it again."""
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(each, ascii_only=ascii_only) for each in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value).removesuffix(".0")
    return "".join(
        c if c.isprintable() and (c.isascii() or not ascii_only) else _escaped(ord(c))
        for c in json.dumps(value, ensure_ascii=False)
    )


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
