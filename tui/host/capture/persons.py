"""The names of a host and of its users, as far as the host itself reveals them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from tui.host.capture import known
from tui.host.capture.collect import HostFiles
from tui.host.capture.memory import Node
from tui.host.capture.standins import Personal
from tui.host.tree import Tree, text_of

PASSWD_LIMIT = 4 << 20
"""Bytes of etc/passwd."""

_PEOPLE = range(1000, 65_000)
"""User ids of people (login.defs(5)); those below belong to the system."""

_HOME = re.compile(
    r"(?<![A-Za-z0-9_.-])(?:home|Users|media|run/media|run/user)/([^/\s:\"'<>,;]{2,32})"
)
_WORD = re.compile(r"[a-z0-9_-]+")
_CALLERS = ("USER", "LOGNAME", "SUDO_USER", "DOAS_USER")


def persons(
    source: Tree, recording: HostFiles, environment: Mapping[str, str] = os.environ
) -> Personal:
    """Return the names to be replaced in a recording of the host in ``source``."""
    hosts = (
        line.strip()
        for path in ("proc/sys/kernel/hostname", "etc/hostname")
        for line in _text(recording.nodes.get(path)).split("\n")
    )
    users = [*_accounts(text_of(source, "etc/passwd", PASSWD_LIMIT)), *_homes(recording)]
    if not source.is_copied:
        users += [environment[name] for name in _CALLERS if environment.get(name)]
    kept = {*known.ALL, *_words(recording)}
    return Personal(filter(None, hosts), [u for u in users if u not in ("root", "nobody")], kept)


def _accounts(passwd: str) -> Iterator[str]:
    """Yield the names of people and their accounts (passwd(5))."""
    for line in passwd.split("\n"):
        fields = line.split(":")
        if len(fields) >= 7 and fields[2].isdecimal() and int(fields[2]) in _PEOPLE:
            yield fields[0]
            yield from filter(None, (fields[4].partition(",")[0].strip(),))
            yield from filter(None, (fields[5].rstrip("/").rpartition("/")[2],))


def _homes(recording: HostFiles) -> Iterator[str]:
    """Yield the names of homes that files of the recording mention."""
    for path, node in recording.nodes.items():
        if not path.startswith(("sys/", "lib/", "usr/")):
            yield from _HOME.findall(_text(node))


def _words(recording: HostFiles) -> Iterator[str]:
    """Yield words that must stay: drivers, modules, attributes, distributions, devices."""
    for path, node in recording.nodes.items():
        parts = path.split("/")
        if path.startswith(("sys/bus/pci/drivers/", "sys/module/")):
            yield parts[4 if parts[1] == "bus" else 2]
        elif path.startswith("sys/devices/") and isinstance(node, bytes):
            yield parts[-1].lower()
        elif parts[-1] in ("os-release", "pci.ids"):
            yield from _WORD.findall(_text(node).lower())


def _text(node: Node) -> str:
    return node.decode("utf-8", "replace") if isinstance(node, bytes) else ""
