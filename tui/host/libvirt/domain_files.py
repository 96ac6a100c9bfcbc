"""The definitions of domains in files of a captured host: as ``virsh dumpxml`` prints them, as
libvirt keeps them in /etc/libvirt and /run/libvirt, or as people post them.

A domain is its UUID. Where a file gives none, or one that another domain has too, the domain is
its file: what stands for that is no UUID.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tui.host.libvirt.domain_xml import DefinitionError
from tui.host.tree import Tree
from tui.host.untrusted import clean
from tui.model import Domain, DomainState

FILE_LIMIT = 4 << 20
"""Bytes of a domain's file that are read; what is in it has a limit of its own."""

STATES: dict[str, DomainState] = {
    "running": "running", "idle": "blocked", "paused": "paused", "shutdown": "in shutdown",
    "shutoff": "shut off", "crashed": "crashed", "pmsuspended": "pmsuspended",
}  # fmt: skip
"""virDomainState as libvirt writes it (src/conf/domain_conf.c)."""

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""How text begins that PowerShell or an editor has saved in UTF-16."""

_DECLARED = re.compile(
    rb"""\s*<\?xml[^>]{0,64}?\bencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,31})["']"""
)
_LATIN = frozenset({"iso-8859-1", "iso-8859-15", "latin1", "windows-1252"})
_UNICODE = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "utf-16"})
"""Encodings that a file may say it has. One that says UTF-16 without the mark was written anew,
with its first line as it was."""

_WRAP = re.compile(r"""<(domstatus|domainsnapshot)\b(?:[^>]{0,512}?\bstate\s*=\s*['"](\w+)['"])?""")

SNAPSHOT = "only a snapshot of it was captured: what it takes now is not known"


@dataclass(frozen=True, slots=True)
class Written:
    """What a file has: the text of a definition, the state that libvirt notes around it, and
    whether that is how the domain was ``once``."""

    xml: str
    state: DomainState | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """The domain in a ``file``, whether it is as it was ``once``."""

    file: str
    domain: Domain
    once: bool = False


def identity(file: str) -> str:
    """What stands for the UUID of a domain that is known by its ``file``; safe to draw."""
    name = file.encode("utf-8", "surrogateescape")
    return f"file-{hashlib.sha256(name).hexdigest()[:32]}"


def read(directory: Tree, file: str) -> Written:
    """The definition in a file. Raises ``DefinitionError``."""
    try:
        data = directory.read(file, FILE_LIMIT)
    except OSError as error:
        raise DefinitionError(f"its file cannot be read: {error.strerror}") from error
    if data is None:
        raise DefinitionError("its file cannot be read: it points to nothing in the capture")
    try:
        text = _decoded(data).lstrip()  # before a declaration nothing may stand
    except UnicodeDecodeError as error:
        raise DefinitionError("its file is not UTF-8 text") from error
    found = _WRAP.match(_after_comments(text))
    if found is None:
        return Written(text)
    if found[1] == "domainsnapshot":
        return Written(text, once=True)
    return Written(text, STATES.get(found[2] or ""))


def _decoded(data: bytes) -> str:
    if data.startswith(UTF_16):
        return data.decode("utf-16")
    data = data.partition(b"\0")[0]  # a copy may be padded
    declared = _DECLARED.match(data)
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    if name in _LATIN:
        return data.decode(name)
    if name not in _UNICODE:
        raise DefinitionError(f"its file is in the encoding {clean(name)}: write it in UTF-8")
    return data.decode("utf-8-sig")


def _after_comments(text: str) -> str:
    """What comes after the declaration and the comments at the head."""
    at = 0
    for opening, closing in (("<?xml", "?>"), *[("<!--", "-->")] * 8):
        while at < len(text) and text[at].isspace():
            at += 1
        if text.startswith(opening, at):
            end = text.find(closing, at)
            at = len(text) if end < 0 else end + len(closing)
    return text[at:].lstrip()


def told_apart(found: Iterable[Read]) -> list[Domain]:
    """The domains of all files, each with a UUID of its own. Files with one UUID and one name
    are of one domain: that it runs goes before how it is kept, and both before a snapshot.
    Under one UUID and several names libvirt knows no domain: each is its file then."""
    by_uuid: dict[str, list[Read]] = defaultdict(list)
    for each in found:
        by_uuid[each.domain.uuid].append(each)
    domains = []
    for several in by_uuid.values():
        if len({each.domain.raw_name for each in several}) > 1:
            domains += [replace(_one([each]), uuid=identity(each.file)) for each in several]
        else:
            domains.append(_one(several))
    return domains


def _one(files: list[Read]) -> Domain:
    """The domain that all these files are of."""
    now = [each.domain for each in files if not each.once]
    if not now:
        return replace(files[0].domain, state="unknown", problem=SNAPSHOT)
    running = [domain for domain in now if domain.active]
    first, *others = running or now
    if any(other != first for other in others):
        return replace(first, problem="several files define it, and not alike")
    return first
