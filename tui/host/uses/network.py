"""Whether the host uses a network interface, from sysfs and /proc/net alone.

No file lists the IPv4 addresses of an interface. /proc/net/fib_trie has the addresses of the host,
and /proc/net/route the networks of each interface: an address belongs to the interface that has its
network. Source: proc(5); kernel, Documentation/ABI/testing/sysfs-class-net.
"""

from __future__ import annotations

import re
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from tui.host.sysfs import Attributes
from tui.host.tree import Tree
from tui.host.untrusted import clean
from tui.model import Attachment

TABLE_LIMIT = 4 << 20
"""Bytes of a table of /proc/net; internet routers have longer ones."""

IFF_UP = 0x1  # include/uapi/linux/if.h
_LINK_LOCAL = 0x20  # include/net/ipv6.h: IPV6_ADDR_LINKLOCAL

_FLAGS = re.compile(r"0x([0-9a-f]{1,8})")
_STATE = re.compile(r"[a-z]{1,20}")
_LEAF = re.compile(r"\s*\|--\s+([0-9.]{7,15})")
_HOST_LOCAL = re.compile(r"\s*/32\s+host\s+LOCAL")


class Route(Struct, frozen=True):
    """A line of /proc/net/route: numbers in host order, and the interface that it leads to."""

    interface: str
    network: int
    mask: int
    direct: bool


def routes(text: str) -> list[Route]:
    """Parse the lines of /proc/net/route, whose numbers are those of a little-endian host."""
    found = []
    for line in text.split("\n")[1:]:
        words = line.split()
        try:
            network, gateway, mask = (_swapped(words[n]) for n in (1, 2, 7))
        except (ValueError, IndexError):
            continue
        found.append(Route(words[0], network & mask, mask, gateway == 0))
    return found


def own_addresses(text: str) -> list[int]:
    """Return the IPv4 addresses of the host in /proc/net/fib_trie: leaves with a local host
    route."""
    found: dict[int, None] = {}
    leaf: int | None = None
    for line in text.split("\n"):
        if named := _LEAF.match(line):
            leaf = _ipv4(named[1])
        elif leaf is not None and _HOST_LOCAL.match(line):
            found[leaf] = None
    return list(found)


def ipv6(text: str) -> dict[str, str]:
    """Return one address of each interface in /proc/net/if_inet6.

    Link-local addresses do not count: every interface gives itself one.
    """
    found: dict[str, str] = {}
    for line in text.split("\n"):
        words = line.split()
        try:
            address, scope, name = bytes.fromhex(words[0]), int(words[3], 16), words[5]
            if scope != _LINK_LOCAL:
                found.setdefault(name, str(IPv6Address(address)))
        except (ValueError, IndexError):
            continue
    return found


def _swapped(word: str) -> int:
    if len(word) != 8:
        raise ValueError(word)
    return int.from_bytes(bytes.fromhex(word), "little")


def _ipv4(text: str) -> int | None:
    try:
        return int(IPv4Address(text))
    except ValueError:
        return None


class Interfaces:
    """The network interfaces of a host. What is the same for all of them is read once."""

    def __init__(self, root: Tree) -> None:
        self._root = root

    def use_of(self, folder: Tree, name: str, unknown: list[str]) -> Attachment:
        """Return the use of the interface in a folder of sysfs. Adds to ``unknown`` what cannot
        be read."""
        shown = clean(name, 40)
        over = self._over(folder)
        if over is not None:
            return Attachment("network", shown, f"is part of {clean(over, 40)}", in_use=True)
        address = self._address(name)
        if address is not None:
            return Attachment("network", shown, f"has {address}", in_use=True)
        at = Attributes(folder)
        flags, state = at.read("flags", _flags), at.read("operstate", _state)
        if flags is not None and not flags & IFF_UP:
            return Attachment("network", shown, "is down")
        if self._ipv4 is None:
            unknown.append(f"the addresses of {shown}")
        linked = {"up": "is up, without an address", "unknown": "is up, without an address"}
        return Attachment("network", shown, linked.get(state or "", "has no link"))

    def _over(self, folder: Tree) -> str | None:
        """Return the bridge, bond or VLAN that an interface is part of."""
        try:
            names = folder.names(limit=1024)
        except OSError:
            return None
        if "master" in names:
            try:
                return folder.target("master").rpartition("/")[2]
            except OSError:
                return "a bridge or a bond"
        upper = sorted(name for name in names if name.startswith("upper_"))
        return upper[0].removeprefix("upper_") if upper else None

    def _address(self, name: str) -> str | None:
        if name in self._ipv6:
            return self._ipv6[name]
        if self._ipv4 is None:
            return None
        table, addresses = self._ipv4
        mine = [route for route in table if route.interface == name]
        for route in sorted(mine, key=lambda each: -each.mask):
            if route.direct and route.mask:
                for address in addresses:
                    if address & route.mask == route.network:
                        return str(IPv4Address(address))
        return "a route" if mine else None

    @cached_property
    def _ipv4(self) -> tuple[list[Route], list[int]] | None:
        table, trie = self._text("proc/net/route"), self._text("proc/net/fib_trie")
        return None if table is None or trie is None else (routes(table), own_addresses(trie))

    @cached_property
    def _ipv6(self) -> dict[str, str]:
        return ipv6(self._text("proc/net/if_inet6") or "")

    def _text(self, name: str) -> str | None:
        try:
            data = self._root.read(name, TABLE_LIMIT)
        except OSError:
            return None
        return None if data is None else data.decode("ascii", "replace")


def _flags(text: str) -> int:
    found = _FLAGS.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return int(found[1], 16)


def _state(text: str) -> str:
    if not _STATE.fullmatch(text):
        raise ValueError(text)
    return text
