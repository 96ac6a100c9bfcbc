"""Collects what a capture contains: everything that a loaded capture can be asked for.

The readers of a captured host run on a recorder. Nothing is started, written or woken.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

from msgspec import Struct, field

from tui.host import HostError
from tui.host.capture.memory import Node
from tui.host.capture.recorder import RecordingTree
from tui.host.captured import host_in
from tui.host.libvirt.domain_files import STATES, StoredDomain
from tui.host.pci.names import PLACES, udev_names
from tui.host.timeout import within
from tui.host.tree import Tree
from tui.host.uses.device import FUNCTIONS_LIMIT
from tui.model import Guests, Inventory

TIMEOUT_S = 20.0
"""Seconds for all reading. What was read by then is the capture."""

GRACE_S = 2.0
"""Seconds that the last read may take once the time is over."""

_BRIDGES = "06"
"""The class of bridges: what is below them belongs to other functions."""

T = TypeVar("T")

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,79}")
"""Names of domains that are safe as names of files."""


class HostFiles(Struct, frozen=True):
    """The files of a host for its capture: nodes by path, and why others that exist could not be
    read.

    ``asked`` has, by path, the name by which a reader asked for a file: links may lead to it.
    """

    nodes: Mapping[str, Node]
    unread: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)


def record(
    source: Tree, domains: Iterable[StoredDomain] | None = None, timeout: float = TIMEOUT_S
) -> HostFiles:
    """Record the host in ``source``.

    ``domains`` are those of a live host, ``None`` if they are not known. Never raises: a reader
    that fails or hangs is listed in ``unread``.
    """
    given = None if source.is_copied else _domain_files(domains)
    recorder = RecordingTree(source, given, deadline=time.monotonic() + timeout)
    try:
        within(timeout + GRACE_S, lambda: _read(recorder, source))
    except TimeoutError:
        recorder.unread["/"] = f"no answer within {timeout:.0f} s: the capture is incomplete"
    return HostFiles(dict(recorder.nodes), dict(recorder.unread), dict(recorder.asked))


def _read(recorder: RecordingTree, source: Tree) -> None:
    host = host_in(recorder, "capture")
    for name, each in host.sources():
        if name not in ("pci", "guests"):
            _attempt(recorder, name, each.read)
    inventory = _attempt(recorder, "pci", host.pci.read)
    guests = _attempt(recorder, "guests", host.guests.read)
    if inventory is None:
        return
    gpus = [gpu.address for gpu in inventory.gpus]
    _attempt(recorder, "readiness", lambda: host.inspector.readiness(gpus))
    addresses = _addresses(inventory, guests)
    for start in range(0, len(addresses), FUNCTIONS_LIMIT):
        some = addresses[start : start + FUNCTIONS_LIMIT]
        _attempt(recorder, "uses", partial(host.uses, some))
    for place in PLACES:
        recorder.nodes.pop(place, None)
    recorder.nodes[PLACES[0]] = _names(inventory, source)


def _attempt(recorder: RecordingTree, name: str, read: Callable[[], T]) -> T | None:
    """Return a reading. A capture is for bug reports: a bug in a reader must not prevent it."""
    try:
        return read()
    except HostError:  # no capture has this reading, or the recorder has noted the failure
        return None
    except Exception as error:
        recorder.unread[name] = f"its reader failed: {type(error).__name__}"
        return None


def _addresses(inventory: Inventory, guests: Guests | None) -> list[str]:
    """Return the functions that a domain could be given, and those that some domain names."""
    found = [f.address for f in inventory.functions if not f.class_code.startswith(_BRIDGES)]
    for domain in guests.domains if guests is not None else ():
        found += [device.address for device in domain.hostdevs]
    return list(dict.fromkeys(found))


def _names(inventory: Inventory, source: Tree) -> bytes:
    """Return the names of the functions in the format of pci.ids, as this host shows them."""
    vendors: dict[str, str] = {}
    devices: dict[str, dict[str, str]] = defaultdict(dict)
    for function in inventory.functions:
        name, vendor = function.name, function.vendor_name
        if not source.is_copied:
            by_udev = udev_names(function.address, source / "run/udev/data")
            name, vendor = by_udev[0] or name, by_udev[1] or vendor
        vendors.setdefault(function.vendor, vendor or "")
        if name != f"{function.vendor}:{function.device}":
            devices[function.vendor].setdefault(function.device, name)
    lines = [""]
    for vendor, shown in sorted(vendors.items()):
        lines.append(f"{vendor}  {shown}")
        lines += [f"\t{device}  {name}" for device, name in sorted(devices[vendor].items())]
    return ("\n".join(lines) + "\n").encode()


def _domain_files(domains: Iterable[StoredDomain] | None) -> dict[str, Node]:
    """Return the files of a live host's domains, each wrapped in a <domstatus> with its state."""
    if domains is None:
        return {}
    files: dict[str, Node] = {"domains": None}
    words = {state: word for word, state in STATES.items()}
    for number, domain in enumerate(domains, 1):
        name = domain.name if FILE_NAME.fullmatch(domain.name) else f"domain {number}"
        if f"domains/{name}.xml" in files:
            name = f"domain {number}"
        word = words.get(domain.state)
        state = "" if word is None else f" state='{word}'"
        files[f"domains/{name}.xml"] = f"<domstatus{state}>\n{domain.xml}</domstatus>\n".encode(
            "utf-8", "replace"
        )
    return files
