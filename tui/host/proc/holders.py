"""Who keeps a card from leaving its driver: processes that have one of its nodes open or mapped.

All of /proc is searched by device number, because a mapping outlives the file it was made from and
a container has other names for the nodes. No scan is complete: a process may open a node just after
it was checked, and the kernel's own clients have no file. Without root most processes cannot be
inspected; they are counted.
"""

from __future__ import annotations

import pwd
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tui.host.libvirt.qemu_process import guest_name
from tui.host.nvml.command import is_nvml_child
from tui.host.proc.device_nodes import Node, find_nodes
from tui.host.proc.file_numbers import DeviceNumber
from tui.host.proc.scanner import PROCESS_S, SILENCE_S, scan
from tui.host.proc.visibility import how_to_see_more
from tui.host.untrusted import clean
from tui.model import VFIO_NODES, Holder, Holders, UninspectedProcess

COMMAND_LIMIT = 200
NAME_LIMIT = 64

_UNIT = re.compile(r"[A-Za-z0-9@:._\\-]{1,250}\.(?:service|scope)")


def holders(
    addresses: Collection[str], root: Path = Path("/"), also: Iterable[Node] = ()
) -> Holders:
    """Find who holds the functions at ``addresses``, or has one of the nodes ``also``.

    Nodes in ``also`` may be gone already. Takes a few hundred milliseconds on a busy host, and many
    seconds if a process does not answer. Raises ``HostError`` if no process can be seen.
    """
    found = find_nodes(root, sorted(addresses))
    return holders_of_nodes((*found.nodes, *also), root, blind=found.unknown)


def holders_of_nodes(
    wanted: Iterable[Node], root: Path = Path("/"), *, blind: str | None = None,
    silent: float = SILENCE_S, seconds: float = PROCESS_S,
) -> Holders:  # fmt: skip
    """Find who has the nodes.

    ``blind`` says why there may be others. A process that shows no sign of life for ``silent``
    seconds, or takes more than ``seconds``, is reported as such. Raises ``HostError``.
    """
    by_number: dict[DeviceNumber, list[Node]] = {}
    for node in dict.fromkeys(wanted):
        by_number.setdefault(node.number, []).append(node)
    request = [(*number, Path(of[0].name).name) for number, of in by_number.items()]
    found = scan(root / "proc", root / "dev", request, silent=silent, seconds=seconds)
    return holders_from_scan(found, by_number, captured=root != Path("/"), blind=blind)


def holders_from_scan(
    found: Mapping[str, Any],
    by_number: Mapping[DeviceNumber, Iterable[Node]],
    *,
    captured: bool = False,
    blind: str | None = None,
) -> Holders:
    """Make what a scan has found (``processes.scan``) safe to show."""
    seen = [holder for each in found["held"] for holder in _holders(each, by_number)]
    why, help_ = (None, None) if captured and not found["real"] else found["blind"] or (None, None)
    if found["left"] is not None:
        pid, name = found["left"]
        why = f"not all processes could be checked in time; {_name(name)} ({pid}) took longest"
        help_ = None
    named = [
        UninspectedProcess(pid, _name(name), clean(odd, 300) or None)
        for pid, name, odd in found["named"]
    ]
    return Holders(
        tuple(sorted(seen, key=lambda h: (h.address, h.pid or 0, h.what))),
        found["unseen"],
        tuple(sorted(named, key=lambda u: (u.why is None, u.pid))),
        why or blind,
        help_ if why else how_to_see_more() if found["unseen"] else None,
    )


def _holders(
    held: tuple[Any, ...], by_number: Mapping[DeviceNumber, Iterable[Node]]
) -> Iterator[Holder]:
    pid, name, numbers, uid, cmdline, cgroup, same = held
    words = _text(cmdline).split("\0")
    if words[-1] == "":
        words.pop()
    command = clean(" ".join(words), COMMAND_LIMIT) or None
    unit, of_user = _unit(_text(cgroup))
    guest = clean(guest_name(words) or "", NAME_LIMIT) or None
    for kind, major, minor, mapped in numbers:
        for node in by_number[kind, major, minor]:
            yield Holder(
                node.address, pid, _name(name), f"maps {node.name}" if mapped else node.name,
                _user_name(uid), command, unit, of_user, node.shared, same and is_nvml_child(words),
                guest=guest if node.name.startswith(VFIO_NODES) else None,
            )  # fmt: skip


def _name(name: bytes) -> str:
    return clean(_text(name)) or "–"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _unit(cgroup: str) -> tuple[str | None, bool]:
    """Return the systemd unit of a process, and whether it belongs to a user's manager.

    Source: the last service or scope in the path of its control group (cgroups(7)).
    """
    for line in cgroup.splitlines():
        parts = line.rpartition(":")[2].split("/")
        units = [part for part in parts if _UNIT.fullmatch(part)]
        if units:
            return units[-1], len(units) > 1 and units[0].startswith("user@")
    return None, False


@lru_cache(maxsize=256)
def _user_name(uid: int | None) -> str | None:
    if uid is None:
        return None
    try:
        return clean(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)
