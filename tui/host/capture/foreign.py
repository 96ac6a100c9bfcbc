"""Names of other hosts and of people in free text, such as that of libvirt's errors.

A capture knows the names of its own host and users. Others can only be recognised by their form: a
name with a domain, and whatever stands before or after an @. What has that form but identifies
nobody stays: versions, files, units, kernel options, checks, names on D-Bus.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tui.host.capture.known import MODULES, OPTIONS, listed

_DOMAINS = listed(
    """com net org info biz edu gov lan local localdomain home internal intranet corp private arpa
    box example test invalid onion"""
)
"""Top-level domains, other than country codes, that only the name of a host ends in."""

FILE_ENDINGS = listed(
    """aml automount bak bin bz c cfg conf config cpp csv dat db dep desktop device dll dtb dump efi
    elf exe fd firmware fw gz h hex html img ini inf iso json ko list lock log lz map md mount
    mov netdev network new nvram o old orig path pid pl pm png preset py pyc qcow raw rom rpm rs
    rules run scope service sh slice so sock socket svg swap sys tar target temp timer tmp toml
    txt ucode vhd vmdk xml xz yaml yml zip zst"""
)
"""Endings of files and of systemd's units."""

_COUNTRIES = listed("md pl pm py rs sh so")
"""Those that are also country-code domains."""

_OURS = listed("gpu guest host iommu libvirt r465 swap usb vfio")
"""What the names of our checks begin with (``iommu.viable``)."""

_BUS = listed("com org")
"""What names on D-Bus begin with."""

_SYSTEM_USERS = listed("root nobody")

_START = r"(?:(?<![\w.+%/@\\-])|(?<=//)|(?<=\\[bfnrt]))"
"""Where a name may begin: not within a word, a path, or an escape of JSON."""

_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_HOST = re.compile(rf"{_START}{_LABEL}(?:\.{_LABEL})+(?![\w@-])")
_USER = re.compile(
    rf"(?:{_START}(?P<user>[\w.+%-]{{1,64}})|(?<=//)(?P<login>[^\s/@\"']{{1,200}}))"
    rf"@(?P<host>{_LABEL}(?:\.{_LABEL})*)(?![\w@-])"
)
_NUMBERED = re.compile(r"[0-9][0-9a-fA-F]*")
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


def without_foreign_names(text: str, of: Callable[[str, str], str]) -> str:
    """Replace names of hosts with a domain, e-mail addresses and ``user@host``. ``of`` returns the
    stand-in of a kind and a name in lower case."""

    def person(found: re.Match[str]) -> str:
        host = found["host"]
        shown = _behind_at(host, of)
        if shown is None:
            return found[0]
        user = (found["user"] or found["login"]).lower()
        return f"{user if user in _SYSTEM_USERS else of('user names', user)}@{shown}"

    def machine(found: re.Match[str]) -> str:
        return of("host names", found[0].lower()) if _is_host(found[0]) else found[0]

    return _HOST.sub(machine, _USER.sub(person, text))


def _behind_at(name: str, of: Callable[[str, str], str]) -> str | None:
    """Return the stand-in of a host after an @; ``None`` if it is not a host but the instance of a
    unit, a node of a device tree, or a refresh rate. IP addresses stay, to be replaced later."""
    if _ADDRESS.fullmatch(name):
        return name
    last = name.rpartition(".")[2].lower()
    if _NUMBERED.fullmatch(name) or last.isdigit() or ("." in name and last in FILE_ENDINGS):
        return None
    return of("host names", name.lower())


def _is_host(name: str) -> bool:
    """Whether a dotted name is that of a host."""
    *labels, ending = name.split(".")
    last = ending.lower()
    if last in _DOMAINS or last.startswith("xn--"):
        return True
    if not last.isalpha() or len(last) < 2 or ending not in (last, ending.upper()):
        return False
    if last in FILE_ENDINGS and (last not in _COUNTRIES or len(labels) == 1):
        return False
    if "_" in name or labels[0].replace("-", "").isdigit() or labels[-1].isdigit():
        return False
    return not (_is_option(labels, last) or (labels[0] in _BUS and len(labels) > 1))


def _is_option(labels: list[str], last: str) -> bool:
    """Whether it is a kernel option, ``module.parameter``, or one of our checks."""
    first = labels[0].replace("-", "_").lower()
    if ".".join((*labels, last)) in OPTIONS or f"{first}.{last}" in OPTIONS:
        return True
    if len(labels) > 1 or len(last) == 2:
        return False
    return bool(MODULES.fullmatch(first)) or first in _OURS
