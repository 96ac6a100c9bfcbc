"""Parses the argument of a QEMU option: ``driver,key=value,…``, or JSON.

Source: QEMU, util/qemu-option.c and qobject/json-lexer.c
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Opts = Mapping[str, Any]
"""Values by key; values are nested in JSON."""

DEPTH_LIMIT = 32
"""Levels of JSON that are searched."""

_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)


def parse_argument(argument: str, first: str) -> Opts:
    """Return an argument's values by key; the last of several counts.

    ``first`` is the key of a first value without one. Raises ``ValueError``.
    """
    text = argument.strip()
    if text.startswith("{"):
        return _json(text)
    if text.startswith("json:"):
        return _json(text.removeprefix("json:"))
    found: dict[str, Any] = {}
    # A comma inside a value is doubled.
    for place, part in enumerate(text.replace(",,", "\0").split(",")):
        key, equals, value = part.partition("=")
        value = value.replace("\0", ",")
        if equals:
            found[key.strip()] = value
        elif place == 0 and first:
            found[first] = key.replace("\0", ",")
        else:
            found[key.strip()] = "on"
    for value in [v for v in found.values() if isinstance(v, str) and v.startswith("json:")]:
        found["json"] = _json(value.removeprefix("json:"))
    return found


def _json(text: str) -> Opts:
    """Parse QEMU's JSON, which also allows strings in single quotes."""

    def double(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        return '"' + match[1].replace("\\'", "'").replace('"', '\\"') + '"'

    found = json.loads(_STRING.sub(double, text))
    if not isinstance(found, dict):
        raise ValueError(text)
    return found


def nested(tree: Opts, depth: int = 0) -> Iterator[Opts]:
    """Yield a tree and every tree inside it. Raises ``ValueError`` if it is too deep."""
    if depth > DEPTH_LIMIT:
        raise ValueError("too deep")
    yield tree
    for value in tree.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Mapping):
                yield from nested(each, depth + 1)
