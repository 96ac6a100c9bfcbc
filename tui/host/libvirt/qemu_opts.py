"""The argument of a QEMU option: ``driver,key=value,…``, or JSON (util/qemu-option.c,
qobject/json-lexer.c of QEMU)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Opts = Mapping[str, Any]
"""Values by key; with values of their own in JSON."""

DEPTH = 32
"""Levels of JSON that are searched."""

_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)


def read(argument: str, first: str) -> Opts:
    """An argument's keys and values; the last of each counts. Raises ``ValueError``."""
    text = argument.strip()
    if text.startswith("{"):
        return _json(text)
    if text.startswith("json:"):
        return _json(text.removeprefix("json:"))
    found: dict[str, Any] = {}
    # A comma is written twice where it does not end a value.
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
    """QEMU's JSON, which has strings in single quotes too."""

    def double(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        return '"' + match[1].replace("\\'", "'").replace('"', '\\"') + '"'

    found = json.loads(_STRING.sub(double, text))
    if not isinstance(found, dict):
        raise ValueError(text)
    return found


def levels(tree: Opts, depth: int = 0) -> Iterator[Opts]:
    """A tree and all that are in it. Raises ``ValueError`` where it is too deep."""
    if depth > DEPTH:
        raise ValueError("too deep")
    yield tree
    for value in tree.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Mapping):
                yield from levels(each, depth + 1)
