"""The keys that the configuration gives to commands: strictly checked, because a key that does
nothing, or something else, is noticed only when it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tui.commands import COMMANDS, REMAPPED, SIGNS, clashes, key_name, keys_of, mapped
from tui.process.output import short

Keys = tuple[tuple[str, str], ...]
"""Pairs of a command's id and its keys, as Textual names them, separated by commas."""

MAX_KEYS = 4
MAX_LENGTH = 80
"""The most keys of one command, and the most characters they are written in."""

KEPT = ("quit", "help", "back")
"""The commands that need a key: without them nobody can leave a screen."""

LISTS = frozenset({"up", "down", "pageup", "pagedown", "home", "end", "j", "k"})
"""The keys that scroll and move the cursor on every screen."""

FIXED = {
    "tab": "goes to the next panel", "shift+tab": "goes to the previous panel",
    "ctrl+c": "says how to quit",
}  # fmt: skip
"""The keys that do the same everywhere."""

OWN = {"ctrl+q": "quit", "ctrl+p": "palette"}
"""The keys that keep their command even if it gets other keys."""

MOVES = frozenset({
    "insert", "delete", "home", "end", "pageup", "pagedown", "up", "down", "left", "right",
})  # fmt: skip
FUNCTIONS = frozenset(f"f{number}" for number in range(1, 25))
NAMED = MOVES | FUNCTIONS | {"enter", "escape", "tab", "space", "backspace"}

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
_TYPED = _LETTERS | {letter.upper() for letter in _LETTERS} | frozenset("0123456789")
_NAMES = {typed: name for name, typed in SIGNS.items()}
_SAME_AS_OTHERS = frozenset("himj")
"""Terminals send Ctrl with these as backspace, tab, enter and a line feed."""


def checked(keys: object) -> Keys:
    """The table ``[keys]`` of the configuration, in the order of its ids. Raises ``ValueError``
    with a sentence that names the key."""
    if not isinstance(keys, dict):
        raise ValueError('keys must be a table: [keys], then lines such as bind = "f2"')
    found = tuple((each, _keys(each, value)) for each, value in sorted(keys.items()))
    _check_clashes(dict(found))
    return found


def _keys(command: str, value: object) -> str:
    if command not in REMAPPED:
        raise ValueError(f"keys: there is no command “{short(command)}”{_meant(command)}")
    if not isinstance(value, str):
        raise ValueError(f'keys.{command} must be a key in quotes, such as "f2"')
    if len(value) > MAX_LENGTH or value.count(",") >= MAX_KEYS:
        raise ValueError(f"keys.{command} has more than {MAX_KEYS} keys, or is too long")
    if not value and command in KEPT:
        raise ValueError(f"keys.{command} must name at least one key")
    keys = [_key(command, key.strip()) for key in value.split(",")] if value else []
    if len(set(keys)) < len(keys):
        raise ValueError(f"keys.{command} names a key twice")
    return ",".join(keys)


def _key(command: str, written: str) -> str:
    """One key as Textual names it."""
    key = _NAMES.get(written, written)
    if not is_key(key):
        raise ValueError(
            f"keys.{command}: “{short(written)}” is not a key; write b, ctrl+b, f2, enter or comma"
        )
    if key in LISTS and key not in keys_of(COMMANDS, command):
        raise ValueError(f"keys.{command}: {key} moves through lists on every screen")
    if key in FIXED or OWN.get(key, command) != command:
        does = FIXED.get(key) or f"means “{OWN[key]}”"
        raise ValueError(f"keys.{command}: {key} always {does}")
    return key


def is_key(key: str) -> bool:
    """Whether a terminal sends a key that Textual calls by this name."""
    modifier, plus, base = key.rpartition("+")
    if not plus:
        return key in _TYPED or key in SIGNS or key in NAMED
    if modifier == "ctrl":
        return base in _LETTERS - _SAME_AS_OTHERS or base in MOVES | FUNCTIONS
    if modifier == "alt":
        return base in _LETTERS
    return modifier == "shift" and (base in MOVES or base == "tab")


def _meant(command: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415

    found = get_close_matches(command[:40], sorted(REMAPPED), n=1)
    return f"; did you mean “{found[0]}”?" if found else "; `vfiotop config` lists them"


def _check_clashes(keys: Mapping[str, str]) -> None:
    for key, one, other in clashes(mapped(keys)):
        mine, theirs = (one, other) if one.id in keys else (other, one)
        raise ValueError(
            f"keys.{mine.id}: {key_name(key)} is already the key of “{theirs.id}” on the same "
            f"screen; give that one another key"
        )


def keymap(keys: Keys) -> dict[str, str]:
    """The keys as Textual's keymap. It cannot say “no key”, so that is a key that no terminal
    sends."""
    return {command: each or "none" for command, each in keys}


def written(keys: str) -> str:
    """The keys of a command as a user may write them in the configuration: ``?, f1``."""
    return ", ".join(
        key if key == "comma" else SIGNS.get(key, key) for key in keys.split(",") if key
    )


def described(keys: Keys) -> Iterator[str]:
    """What is remapped, in words: ``bind f2``."""
    for command, each in keys:
        yield f"{command} {' '.join(map(key_name, each.split(','))) or 'no key'}"
