"""Domain definitions in the files of a captured host.

They may be as ``virsh dumpxml`` prints them, as libvirt stores them in /etc/libvirt and
/run/libvirt, or as people post them. A domain is identified by its UUID. If a file has none, or
shares it with another domain, the domain is identified by its file instead.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from tui.host.libvirt.domain_xml import DefinitionError
from tui.host.tree import Tree
from tui.host.untrusted import clean
from tui.model import Domain, DomainState

FILE_LIMIT = 4 << 20
"""Bytes read of a domain's file; its XML has a limit of its own."""

STATES: dict[str, DomainState] = {
    "running": "running", "idle": "blocked", "paused": "paused", "shutdown": "in shutdown",
    "shutoff": "shut off", "crashed": "crashed", "pmsuspended": "pmsuspended",
}  # fmt: skip
"""virDomainState as libvirt writes it to files (src/conf/domain_conf.c)."""

UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of text that PowerShell or an editor saved as UTF-16."""

_DECLARED = re.compile(
    rb"""\s*<\?xml[^>]{0,64}?\bencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,31})["']"""
)
_LATIN = frozenset({"iso-8859-1", "iso-8859-15", "latin1", "windows-1252"})
_UNICODE = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "utf-16"})
"""Encodings that a declaration may name. A file that declares UTF-16 but has no byte order mark
was converted without changing its first line."""

_WRAPPER = re.compile(
    r"""<(domstatus|domainsnapshot)\b(?:[^>]{0,512}?\bstate\s*=\s*['"](\w+)['"])?"""
)

ONLY_SNAPSHOT = "only a snapshot of it was captured: cannot tell which devices it takes now"


class StoredDomain(Struct, frozen=True):
    """A domain of a live host: its raw name, its state and its XML."""

    name: str
    state: DomainState
    xml: str


class DefinitionFile(Struct, frozen=True):
    """A definition as text, with the state that libvirt stores around it.

    ``snapshot``: it is from a snapshot, and may be out of date.
    """

    xml: str
    state: DomainState | None = None
    snapshot: bool = False


class FileDomain(Struct, frozen=True):
    """The domain in a ``file``; ``snapshot``: it is from a snapshot."""

    file: str
    domain: Domain
    snapshot: bool = False


def stand_in_uuid(file: str) -> str:
    """Return an identifier for a domain that is known by its ``file`` only; safe to draw."""
    name = file.encode("utf-8", "surrogateescape")
    return f"file-{hashlib.sha256(name).hexdigest()[:32]}"


def read(directory: Tree, file: str) -> DefinitionFile:
    """Read the definition in a file. Raises ``DefinitionError``."""
    try:
        data = directory.read(file, FILE_LIMIT)
    except OSError as error:
        raise DefinitionError(f"its file cannot be read: {error.strerror}") from error
    if data is None:
        raise DefinitionError(
            "its file cannot be read: it is a link to a file that was not captured"
        )
    try:
        text = _decoded(data).lstrip()  # a declaration must come first
    except UnicodeDecodeError as error:
        raise DefinitionError("its file is not UTF-8 text") from error
    found = _WRAPPER.match(_after_comments(text))
    if found is None:
        return DefinitionFile(text)
    if found[1] == "domainsnapshot":
        return DefinitionFile(text, snapshot=True)
    return DefinitionFile(text, STATES.get(found[2] or ""))


def _decoded(data: bytes) -> str:
    if data.startswith(UTF_16_BOMS):
        return data.decode("utf-16")
    data = data.partition(b"\0")[0]  # some copies are padded with zeros
    declared = _DECLARED.match(data)
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    if name in _LATIN:
        return data.decode(name)
    if name not in _UNICODE:
        raise DefinitionError(f"its file is encoded in {clean(name)}: convert it to UTF-8")
    return data.decode("utf-8-sig")


def _after_comments(text: str) -> str:
    """Return the text after the declaration and the leading comments."""
    at = 0
    for opening, closing in (("<?xml", "?>"), *[("<!--", "-->")] * 8):
        while at < len(text) and text[at].isspace():
            at += 1
        if text.startswith(opening, at):
            end = text.find(closing, at)
            at = len(text) if end < 0 else end + len(closing)
    return text[at:].lstrip()


def merge(found: Iterable[FileDomain]) -> list[Domain]:
    """Return the domains of all files, each with a UUID of its own.

    Files with the same UUID and name describe one domain: a running definition wins over a
    persistent one, and both over a snapshot. libvirt never has one UUID with several names:
    such domains are identified by their files.
    """
    by_uuid: dict[str, list[FileDomain]] = defaultdict(list)
    for each in found:
        by_uuid[each.domain.uuid].append(each)
    domains = []
    for several in by_uuid.values():
        if len({each.domain.raw_name for each in several}) > 1:
            domains += [
                replace(_merge_files([each]), uuid=stand_in_uuid(each.file)) for each in several
            ]
        else:
            domains.append(_merge_files(several))
    return domains


def _merge_files(files: list[FileDomain]) -> Domain:
    """Return the one domain that all these files describe."""
    now = [each.domain for each in files if not each.snapshot]
    if not now:
        return replace(files[0].domain, state="unknown", problem=ONLY_SNAPSHOT)
    running = [domain for domain in now if domain.active]
    first, *others = running or now
    if any(other != first for other in others):
        return replace(first, problem="several files define it differently")
    return first
