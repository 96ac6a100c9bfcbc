"""A captured host: the kernel's own layout below a directory, and its domains as XML files.

It arrives in a bug report, as a directory or as an archive. So nothing in it is trusted: every file
is read through ``Confined``, or from the memory into which the archive was read.
Nothing of the machine that shows it is mixed in, except the names from its pci.ids.
"""

from __future__ import annotations

import queue
import stat
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress

from tui.host import EmptySource, Host, HostError, NothingToRead, Wake
from tui.host.capture.archive import BadArchive, open_archive
from tui.host.capture.memory import MemoryTree
from tui.host.confined import Confined
from tui.host.facts import FactsSource
from tui.host.libvirt.domain_files import FileDomain, merge, read, stand_in_uuid
from tui.host.libvirt.domain_xml import DefinitionError, definition, with_mdev_parents
from tui.host.memory import MemorySource
from tui.host.pci import DEVICES, FUNCTIONS_LIMIT
from tui.host.pci.source import PciSource
from tui.host.pci.vitals import VitalsSource
from tui.host.readiness.source import readiness
from tui.host.tree import Tree, is_gone
from tui.host.untrusted import clean, shown_name, visible
from tui.host.uses.device import device_uses
from tui.host.uses.usb import UsbSource
from tui.model import Domain, Guests, Holders, NvmlReading, Readiness
from tui.model.address import is_address

NO_READINGS = "a captured host has no live readings"

HOW_TO_UNPACK = "pack it with tar and unpack it on Linux, which keeps its links and names"
"""Zip files, and tools on other systems, drop the links of sysfs or turn them into text files;
Windows allows no colon in names."""

SUFFIX = ".xml"

DOMAINS_LIMIT = 1000
FOLDERS_LIMIT = 256
"""Entries of a folder among which to search for a captured host."""

OPEN_TIMEOUT = 5.0
"""Seconds for the directory to answer: it may be on a network."""


EXPECTS = f"--root expects a captured host: a directory that contains {DEVICES}, or its archive"


CapturedRoot = Confined | MemoryTree
"""A directory, or what an archive holds."""


def captured_host(path: str, expects: str = EXPECTS) -> Host:
    """Return the host captured in the directory or archive ``path``.

    Raises ``HostError`` if there is none, which says what the command ``expects``.
    """
    root = _open_in_time(path, expects)
    return host_in(root, root.label)


def host_in(root: Tree, label: str) -> Host:
    """Return the captured host in a tree that has not been checked yet."""
    pci = PciSource(root)
    return Host(
        facts=FactsSource(root),
        pci=pci,
        vitals=VitalsSource(pci),
        nvml=_NoNvml(),
        drm=EmptySource(NO_READINGS),
        threads=EmptySource(NO_READINGS),
        agent=EmptySource(NO_READINGS),
        usb=UsbSource(root),
        guests=CapturedGuests(root / "domains", root),
        memory=MemorySource(root),
        kind="captured",
        banner=f"Captured host: {label}",
        readonly=True,
        inspector=CapturedInspector(root),
        reopen=lambda: host_in(root, label),
        uses=lambda addresses: device_uses(addresses, root),
        root=root,
    )


class CapturedInspector:
    """Reports readiness from the capture; a capture has no processes."""

    def __init__(self, root: Tree) -> None:
        self._root = root

    def holders(self, addresses: Collection[str]) -> Holders:
        raise HostError(
            "a capture does not record which processes hold a card: check on the host itself"
        )

    def readiness(self, gpus: Collection[str]) -> Readiness:
        return readiness(gpus, self._root)


class CapturedGuests:
    """Domains from ``*.xml`` files, each as ``virsh dumpxml`` prints it."""

    def __init__(self, directory: Tree, root: Tree | None = None) -> None:
        self._directory = directory
        self._root = root

    def read(self) -> Guests:
        try:
            files = [n for n in self._directory.names() if n.endswith(SUFFIX) and n != SUFFIX]
        except FileNotFoundError as error:
            raise NothingToRead(
                "the domains of the captured host are not known: it has no folder `domains`"
            ) from error
        except OSError as error:
            what = f"{self._directory}: {error.strerror}"
            raise HostError(f"the captured host has no domains ({what})") from error
        if len(files) > DOMAINS_LIMIT:
            raise HostError(
                f"the captured host has {len(files)} domains; vfiotop reads {DOMAINS_LIMIT}"
            )
        found = merge(_domain(self._directory, file, self._root) for file in sorted(files))
        domains = sorted(found, key=lambda domain: (domain.name, domain.uuid))
        uri = visible(str(self._directory))
        return Guests(uri, None, tuple(domains), readonly=True, captured=True)

    def watch(self, wake: Wake) -> None:
        """A captured host does not change."""

    def close(self) -> None:
        """This source holds nothing."""


class _NoNvml:
    """NVML would read this machine's cards, not the captured ones."""

    def read(self) -> NvmlReading:
        raise HostError(NO_READINGS)

    def watch(self, wake: Wake) -> None:
        """There are no events."""

    def close(self) -> None:
        """This source holds nothing."""


def _domain(directory: Tree, file: str, root: Tree | None) -> FileDomain:
    """Return the domain in a file. If it cannot be read, it is named after the file and says
    why."""
    try:
        written = read(directory, file)
        found = with_mdev_parents(definition(written.xml, stand_in_uuid(file)), root)
    except DefinitionError as error:
        name, raw = shown_name(file.removesuffix(SUFFIX), "unnamed")
        return FileDomain(file, Domain(name, stand_in_uuid(file), "unknown", problem=str(error),
                                 unshown_name=raw))  # fmt: skip
    name, raw = shown_name(found.name, found.uuid)
    runs = found.active_id is not None
    domain = Domain(
        name=name,
        uuid=found.uuid,
        unshown_name=raw,
        state=written.state or ("running" if runs else "shut off"),
        preserved=written.state == "crashed" and runs,
        hostdevs=found.hostdevs,
        vcpus=found.vcpus,
        memory_mib=found.memory_mib,
        agent=found.agent,
        kvm_hidden=found.kvm_hidden,
        problem=found.unclear,
        usb=found.usb,
        setup=found.setup,
        pinning=found.pinning,
    )
    return FileDomain(file, domain, snapshot=written.snapshot)


def _open_in_time(path: str, expects: str) -> CapturedRoot:
    """Open the captured host in ``path``.

    Raises ``HostError``, also after ``OPEN_TIMEOUT``: a file server that is gone must not keep the
    program from ending.
    """
    answer: queue.SimpleQueue[CapturedRoot | Exception] = queue.SimpleQueue()

    def open_it() -> None:
        try:
            answer.put(_open(path, expects))
        except Exception as error:  # raised again by the caller below
            answer.put(error)

    threading.Thread(target=open_it, name="captured host", daemon=True).start()
    try:
        found = answer.get(timeout=OPEN_TIMEOUT)
    except queue.Empty:
        raise HostError(f"{clean(path)} does not answer within {OPEN_TIMEOUT:.0f} s") from None
    if isinstance(found, Exception):
        raise found
    return found


def _open(path: str, expects: str) -> CapturedRoot:
    """Open the directory or archive ``path``. Raises ``HostError`` if no captured host is in it."""
    shown = clean(path)
    try:
        root = _directory_or_archive(path)
    except FileNotFoundError as error:
        raise HostError(f"there is no {shown}; {expects}") from error
    except NotADirectoryError as error:
        raise HostError(f"{shown} is not a directory; {expects}") from error
    except BadArchive as error:
        raise HostError(
            f"{shown} is neither a directory nor a usable archive: {error}; {expects}"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL
        raise HostError(f"{shown} cannot be read ({_reason(error)}); {expects}") from error
    try:
        root = _find_root(root)
        devices = root.names(DEVICES, FUNCTIONS_LIMIT)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise HostError(f"{shown} has no {DEVICES}; {expects}") from error
    except OSError as error:
        raise HostError(f"{shown} cannot be read ({_reason(error)}); {expects}") from error
    _check_devices(root, devices, shown)
    return root


def _directory_or_archive(path: str) -> CapturedRoot:
    """Open the place. Raises ``OSError`` and ``BadArchive``."""
    try:
        return Confined(path)
    except NotADirectoryError:
        archive = open_archive(path)
        if archive is None:
            raise
        return archive


def _check_devices(root: CapturedRoot, devices: Sequence[str], shown: str) -> None:
    """Raise ``HostError`` if the ``devices`` were not captured, or an archive has lost them.

    Otherwise the host would appear to have none.
    """
    if not devices:
        raise HostError(f"{shown} has no device in {DEVICES}: {HOW_TO_UNPACK}")
    if not any(is_address(name) for name in devices):
        example = clean(f"{DEVICES}/{min(devices)}")
        raise HostError(f"{shown} has no PCI address in {DEVICES} ({example}): {HOW_TO_UNPACK}")
    for device in sorted(devices):
        path = f"{DEVICES}/{device}"
        if is_gone(root, path):
            raise HostError(
                f"{clean(path)} is a dangling link in {shown}: capture its target as well"
            )
        if is_address(device) and _is_file(root, path):
            raise HostError(f"{clean(path)} is a file in {shown}, not a folder: {HOW_TO_UNPACK}")


def _is_file(root: CapturedRoot, name: str) -> bool:
    """Whether it is certainly not a folder; what we may not access could be one."""
    try:
        return not stat.S_ISDIR(root.mode(name))
    except OSError:
        return False


def _find_root(root: CapturedRoot) -> CapturedRoot:
    """Return the folder of ``root`` that has the captured host, as archives unpack it.

    There must be exactly one such folder, and it may not be a link; otherwise returns ``root``.
    Raises ``OSError``.
    """
    if _has_devices(root):
        return root
    names = root.names()
    if len(names) > FOLDERS_LIMIT:
        return root
    found = []
    for name in names:
        with suppress(OSError):
            inner = root.subroot(name)
            if _has_devices(inner):
                found.append(inner)
    return found[0] if len(found) == 1 else root


def _has_devices(root: CapturedRoot) -> bool:
    try:
        return stat.S_ISDIR(root.mode(DEVICES))
    except OSError:
        return False


def _reason(error: Exception) -> str:
    return clean(getattr(error, "strerror", None) or str(error))
