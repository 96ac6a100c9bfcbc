"""Stand-ins for what identifies a host. The same thing gets the same one everywhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

from tui.host.capture.foreign import without_foreign_names

SHORTEST = 4
"""Minimum length of a name that is also replaced inside words."""

_SEPARATOR = r"(?::|-|%3[aA])"
_MAC = re.compile(
    rf"(?<![0-9A-Fa-f:])[0-9A-Fa-f]{{2}}({_SEPARATOR})[0-9A-Fa-f]{{2}}"
    r"(?:\1[0-9A-Fa-f]{2}){4}(?![0-9A-Fa-f:])"
)
_UUID = re.compile(
    r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|[0-9A-Fa-f]{32})(?![0-9A-Fa-f])"
)
_IPV4 = re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")
_IPV6 = re.compile(r"(?<![0-9A-Za-z:])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{2,39}(?![\w:])")

_MADE: dict[str, Callable[[int], str]] = {
    "MAC addresses": lambda n: ":".join(f"{b:02x}" for b in (0x525400000000 + n).to_bytes(6)),
    "UUIDs": lambda n: f"00000000-0000-4000-8000-{n:012x}",
    "IPv4 addresses": lambda n: str(IPv4Address(0xC0000200 + n if n < 256 else 0xC6120000 + n)),
    "IPv6 addresses": lambda n: str(IPv6Address((0x20010DB8 << 96) + n)),
}
"""Kinds whose stand-ins are not a word and a number; IP addresses are from the ranges for
documentation and benchmarks."""

_WORDS = {
    "host names": "host", "user names": "user", "volume names": "volume", "pool names": "pool",
    "network names": "net", "guest names": "guest", "folder names": "folder", "paths": "path",
    "boot option values": "value", "boot option names": "option", "words of boot files": "word",
    "shell variables": "VARIABLE", "QEMU arguments": "argument", "labels": "label",
    "serial numbers": "serial", "USB names": "device",
    "hook names": "hook",
}  # fmt: skip


class Personal:
    """The names of a host and of its users.

    ``words`` are those that a capture needs; a name that is one of them, or part of one, is only
    replaced where it stands for the host or the user, or as a word of its own.
    """

    def __init__(
        self, hosts: Iterable[str] = (), users: Iterable[str] = (), words: Collection[str] = ()
    ) -> None:
        lower = {word.lower() for word in words}
        self.names = {name: "user names" for name in users if len(name) > 1}
        for host in hosts:
            self.names |= dict.fromkeys(filter(None, (host, host.partition(".")[0])), "host names")
        self.kept = {name for name in self.names if name.lower() in lower}
        self._inside = {
            name for name in self.names
            if len(name) >= SHORTEST and not any(name.lower() in word for word in lower)
        }  # fmt: skip

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Matches each name in every spelling."""
        parts = []
        for name in sorted(self.names, key=len, reverse=True):
            spelled = "|".join(dict.fromkeys(re.escape(s) for s in (name, quote(name, safe=""))))
            if name in self._inside:
                parts.append(f"(?:{spelled})")
            elif name not in self.kept:
                parts.append(rf"(?<![0-9A-Za-z])(?:{spelled})(?![0-9A-Za-z])")
        return re.compile("|".join(parts), re.IGNORECASE) if parts else None

    def kind_of(self, found: str) -> tuple[str, str]:
        """Return the kind of a name that the pattern has found, and the name."""
        for name, kind in self.names.items():
            if found.lower() in (name.lower(), quote(name, safe="").lower()):
                return kind, name.lower()
        return "user names", found.lower()

    def is_in(self, text: str) -> bool:
        """Whether a text has one of the names anywhere, even inside a word."""
        lower = text.lower()
        return any(len(name) > 2 and name.lower() in lower for name in self.names)


class StandIns:
    """Hands out the stand-ins of one capture and counts what they stand for."""

    def __init__(self, personal: Personal | None = None) -> None:
        self.personal = personal or Personal()
        self._given: dict[tuple[str, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self._removed: Counter[str] = Counter()

    def of(self, kind: str, thing: str) -> str:
        """Return the stand-in of ``thing``."""
        key = kind, thing
        if key not in self._given:
            self._numbers[kind] += 1
            number = self._numbers[kind]
            make = _MADE.get(kind)
            joint = "_" if kind == "shell variables" else "-"
            self._given[key] = make(number) if make else f"{_WORDS[kind]}{joint}{number}"
        return self._given[key]

    def given(self, *kinds: str) -> dict[str, str]:
        """Return the stand-ins of these kinds by what they stand for."""
        return {thing: shown for (kind, thing), shown in self._given.items() if kind in kinds}

    def remove(self, kind: str, times: int = 1) -> None:
        """Count something that is left out, with nothing in its place."""
        self._removed[kind] += times

    def counts(self) -> dict[str, int]:
        """Return how many different things of each kind were replaced or left out."""
        return dict(sorted((self._numbers + self._removed).items()))

    # --- what is recognised wherever it stands --------------------------------

    def mac(self, text: str) -> str:
        """Return the stand-in of a MAC address, in lower case with colons."""
        return self.of("MAC addresses", "".join(c for c in text.lower() if c in "0123456789abcdef"))

    def uuid(self, text: str) -> str:
        """Return the stand-in of a UUID, with dashes only if it has some."""
        found = self.of("UUIDs", text.lower().replace("-", ""))
        return found if "-" in text else found.replace("-", "")

    def name(self, text: str) -> str:
        """Replace what is unmistakable in any text: names, MAC addresses, UUIDs."""
        text = _UUID.sub(lambda found: self.uuid(found[0]), text)
        text = _MAC.sub(
            lambda found: self.mac(found[0].replace("%3a", "").replace("%3A", "")), text
        )
        pattern = self.personal.pattern
        if pattern is not None:
            text = pattern.sub(lambda found: self.of(*self.personal.kind_of(found[0])), text)
        return text

    def text(self, text: str) -> str:
        """Replace the same, names of other hosts and their users, and IP addresses, which in some
        texts are versions."""
        text = self.name(without_foreign_names(text, self.of))
        text = _IPV4.sub(lambda found: self.of("IPv4 addresses", found[0]), text)
        return _IPV6.sub(lambda found: self._ipv6(found[0]), text)

    def _ipv6(self, text: str) -> str:
        try:
            return self.of("IPv6 addresses", str(IPv6Address(text)))
        except ValueError:
            return text

    def guest(self, name: str) -> str:
        """Return a domain's name, which is kept unless it has something personal in it."""
        if self.personal.is_in(name) or self.text(name) != name:
            return self.of("guest names", name)
        return name

    def interface(self, name: str) -> str:
        """Return the name of a network interface; those that the system gives are kept."""
        found = _BY_MAC.fullmatch(name)
        if found is not None:
            return found[1] + self.mac(found[2]).replace(":", "")
        if _INTERFACE.fullmatch(name) and self.name(name) == name:
            return name
        return self.of("network names", name)

    def device(self, path: str) -> str:
        """Return the path of a block device; names that somebody chose are replaced."""
        for prefix in ("/dev/mapper/", "/dev/md/"):
            if path.startswith(prefix):
                return prefix + self.of("volume names", path.removeprefix(prefix))
        if _BLOCK.fullmatch(path):
            return path
        tag, equals, value = path.partition("=")
        if equals and tag in ("UUID", "PARTUUID", "LABEL", "PARTLABEL"):
            exact = _UUID.fullmatch(value)
            return f"{tag}={self.uuid(value) if exact else self.of('labels', value)}"
        if path.startswith("/dev/"):
            return "/dev/" + self.of("volume names", path.removeprefix("/dev/"))
        return self.of("paths", path)


_BY_MAC = re.compile(r"(enx|wlx|usb|ib)([0-9a-f]{12})")
_INTERFACE = re.compile(
    r"(?:lo|eth[0-9]+|en[opsx][a-z0-9]+|wl(?:an|[opsx])[a-z0-9]+|ww[a-z0-9]+"
    r"|(?:br|bond|vnet|tap|tun|virbr|macvtap|team|dummy|wg|vlan|docker|ib|usb)[0-9]{1,4}(?:-nic)?)"
    r"(?:\.[0-9]{1,4})?"
)
_BLOCK = re.compile(
    r"/dev/(?:[shv]d[a-z]{1,3}[0-9]{0,3}|xvd[a-z][0-9]{0,3}|nvme[0-9]+n[0-9]+(?:p[0-9]+)?"
    r"|mmcblk[0-9]+(?:p[0-9]+)?|dm-[0-9]+|md[0-9_]+(?:p[0-9]+)?|bcache[0-9]+|zram[0-9]+"
    r"|sr[0-9]+|loop[0-9]+(?:p[0-9]+)?|zd[0-9]+(?:p[0-9]+)?|root)"
)
