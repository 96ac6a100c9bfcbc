"""One capture of a host: its files, redacted, along with pages for people to read."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib import metadata

from msgspec import Struct

from tui import __version__
from tui.host import HostError
from tui.host.capture import past
from tui.host.capture.archive import pack
from tui.host.capture.collect import HostFiles, record
from tui.host.capture.kernel_events import kernel_events
from tui.host.capture.memory import Node
from tui.host.capture.persons import persons
from tui.host.capture.redact import redacted, unredacted
from tui.host.capture.standins import StandIns
from tui.host.confined import Confined
from tui.host.history.recording import FOLDER
from tui.host.journal import file as journal
from tui.host.journal.entry import JournalError
from tui.host.journal.file import Journal
from tui.host.journal.format import dump
from tui.host.libvirt.domain_files import StoredDomain
from tui.host.timeout import within
from tui.host.tree import Tree
from tui.rules import libvirt_uri

LIBVIRT_S = 8.0
"""Seconds for libvirt to answer."""

HISTORY_S = 20.0
"""Seconds for the history to be read."""

_SILENT = "libvirt, at a non-default URI, does not answer"

JOURNAL = str(journal.JOURNAL).lstrip("/")
"""The journal's path in the archive."""

KERNEL_EVENTS = "KERNEL-EVENTS"

_LIBRARIES = ("textual", "msgspec", "pyudev", "libvirt-python", "nvidia-ml-py")

KEPT = """\
Kept are: PCI addresses and ids, drivers, IOMMU groups, kernel and driver versions, the
distribution, known kernel options, device and partition names such as nvme0n1p2, and domain
names, unless the host's or a user's name is in them. A name that is an ordinary word of
vfiotop's, such as debian or nvidia, is replaced only where it stands for the host. What is
encoded, as in base64, is only replaced with the value that it is in. A history keeps its readings
and times; the text of its events has the same replacements as the rest.
"""


class Capture(Struct, frozen=True):
    """An archive, what was replaced in it by kind, and why something is not in it. ``history`` says
    how much of the history it has, ``None`` if it has none."""

    archive: bytes
    files: int
    replaced: Mapping[str, int]
    unread: Mapping[str, str]
    history: str | None = None


def capture(source: Tree, uri: str, *, redact: bool = True) -> Capture:
    """Capture the host in ``source``; of a live one, the domains of the libvirt at ``uri``.

    Never raises for what cannot be read.
    """
    lacking: dict[str, str] = {}
    version, domains = None, None
    if not source.is_copied:
        try:
            version, domains = _libvirt(uri)
        except HostError as error:
            lacking["domains"] = str(error) if _may_be_told(str(error), redact) else _SILENT
    recording = record(source, domains)
    stand_ins = StandIns(persons(source, recording))
    told = (redacted if redact else unredacted)(recording, stand_ins)
    nodes = dict(told.nodes)
    nodes |= _journal(source, stand_ins if redact else None, lacking)
    nodes |= _kernel_events(source, lacking)
    history, of_history = _history(source, stand_ins, lacking, redact=redact)
    nodes |= of_history
    unread = {**told.unread, **{k: stand_ins.text(v) if redact else v for k, v in lacking.items()}}
    pages = {
        "VERSIONS": _versions(recording, version),
        "NOT-READ": "".join(f"{path}: {why}\n" for path, why in sorted(unread.items())),
        "REDACTED": _redacted_page(stand_ins, history, redact=redact),
    }
    nodes |= {name: text.encode("utf-8", "replace") for name, text in pages.items()}
    return Capture(pack(nodes), len(nodes), stand_ins.counts(), unread, history)


def _may_be_told(sentence: str, redact: bool) -> bool:
    """Whether a sentence names no machine and no user that a URI connects to."""
    return not redact or "://" not in sentence.replace(libvirt_uri.SYSTEM, "")


def machine() -> Tree:
    """Return this machine's files, of which only regular files are ever opened."""
    return Confined("/")


def _libvirt(uri: str) -> tuple[str, list[StoredDomain]]:
    """Ask libvirt. Raises ``HostError``, also if its library is missing or it hangs."""
    try:
        from tui.host.libvirt.source import stored_domains  # noqa: PLC0415 - needs the library

        return within(LIBVIRT_S, lambda: stored_domains(uri))
    except ImportError as error:
        raise HostError("libvirt's Python library cannot be loaded") from error
    except TimeoutError as error:
        raise HostError(f"libvirt: {error}") from error


def _journal(source: Tree, stand_ins: StandIns | None, lacking: dict[str, str]) -> dict[str, Node]:
    """Return the journal of the last swap since boot; a captured host's is not trusted."""
    if source.is_copied:
        return {}
    try:
        entry = Journal().read()
    except (JournalError, OSError) as error:
        lacking[JOURNAL] = str(error)
        return {}
    if entry is None:
        return {}
    text = dump(entry)
    return {JOURNAL: (text if stand_ins is None else stand_ins.text(text)).encode()}


def _kernel_events(source: Tree, lacking: dict[str, str]) -> dict[str, Node]:
    """Return what this kernel has logged since boot; nothing for a captured host."""
    if source.is_copied:
        return {}
    try:
        return {KERNEL_EVENTS: kernel_events().encode()}
    except OSError as error:
        lacking[KERNEL_EVENTS] = f"the kernel's log cannot be read: {error.strerror}"
        return {}


def _history(
    source: Tree, stand_ins: StandIns, lacking: dict[str, str], *, redact: bool
) -> tuple[str | None, dict[str, bytes]]:
    """Return how much of the history is in the capture, and its files."""
    try:
        entries = within(HISTORY_S, lambda: past.history(source))
    except (HostError, OSError) as error:  # TimeoutError is an OSError
        why = str(error) if isinstance(error, HostError) else error.strerror or str(error)
        lacking[FOLDER] = why
        return None, {}
    kept = past.newest(entries)
    if not kept:
        return None, {}
    change = past.redacted if redact else past.without_secrets_in
    try:
        return past.told(kept), past.files(change(kept, stand_ins))
    except Exception as error:  # a bug here must not leak data or end the capture
        lacking[FOLDER] = f"it cannot be redacted: {type(error).__name__}"
        return None, {}


def _versions(recording: HostFiles, libvirt: str | None) -> str:
    """Return the versions of the software involved, one a line."""
    driver = _first(recording, r"proc/driver/nvidia/version|sys/module/nvidia/version",
                    r"[0-9]{2,4}(?:\.[0-9]{1,4}){1,2}")  # fmt: skip
    release = _first(recording, r"(?:etc|usr/lib)/os-release", r"(?m)^ID=[\"']?([a-z0-9._-]+)")
    number = _first(recording, r"(?:etc|usr/lib)/os-release", r"(?m)^VERSION_ID=[\"']?([0-9.]+)")
    found = {
        "vfiotop": __version__,
        "Python": platform.python_version(),
        "libvirt daemon": libvirt,
        "nvidia driver": driver,
        "kernel": _first(recording, "proc/sys/kernel/osrelease", r"[0-9]+(?:\.[0-9]+)*"),
        "architecture": platform.machine(),
        "distribution": " ".join(filter(None, (release, number))) or None,
    } | {name: _installed(name) for name in _LIBRARIES}
    return "".join(f"{name}: {value or 'unknown'}\n" for name, value in found.items())


def _first(recording: HostFiles, path: str, pattern: str) -> str | None:
    for place, node in recording.nodes.items():
        asked = recording.asked.get(place, place)
        if isinstance(node, bytes) and re.fullmatch(path, asked):
            found = re.search(pattern, node.decode("utf-8", "replace"))
            if found is not None:
                return found[found.re.groups]
    return None


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _redacted_page(stand_ins: StandIns, history: str | None, *, redact: bool) -> str:
    lines = "".join(f"{count:>6}  {kind}\n" for kind, count in stand_ins.counts().items())
    has = f"\nThe history has {history}.\n" if history is not None else ""
    if not redact:
        removed = lines or "     0"
        return f"Nothing was replaced. Passwords and secrets were removed:\n{removed}\n{has}"
    return (
        "Replaced or left out, by kind. The same thing has the same stand-in everywhere.\n\n"
        f"{lines or '     nothing'}\n\n{KEPT}{has}"
    )
