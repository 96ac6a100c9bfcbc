"""A captured host: the kernel's own layout below a directory, and its domains as XML files.

It comes from somebody else, in a bug report: nothing in it is trusted, its files are read
through ``Confined`` only, and nothing of the machine that shows it is mixed in, but the names
of pci.ids.
"""

from __future__ import annotations

import queue
import stat
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress

from tui.host import EmptySource, Host, HostError, NothingToRead, Wake
from tui.host.confined import Confined
from tui.host.facts import FactsSource
from tui.host.libvirt.domain_files import Read, identity, read, told_apart
from tui.host.libvirt.domain_xml import DefinitionError, definition, on_host
from tui.host.pci import DEVICES, FUNCTIONS_LIMIT
from tui.host.pci.source import PciSource
from tui.host.pci.vitals import VitalsSource
from tui.host.readiness.source import readiness
from tui.host.tree import Tree, is_gone
from tui.host.untrusted import clean, shown_name, visible
from tui.host.uses.device import device_uses
from tui.model import Domain, Guests, Holders, NvmlReading, Readiness
from tui.model.address import is_address

NO_READINGS = "a captured host has no live readings"

HOW_TO_UNPACK = "pack it with tar and unpack it on Linux, which keeps its links and names"
"""Zip, and tools on other systems, lose the links of sysfs or turn them into text files; Windows
has no colon in names."""

SUFFIX = ".xml"

DOMAINS_LIMIT = 1000
FOLDERS_LIMIT = 256
"""Entries of a folder among which a captured host is looked for."""

OPEN_TIMEOUT = 5.0
"""Seconds that the place of a captured host may take to answer: it may be on a network."""


def captured_host(place: str) -> Host:
    """The host captured in the directory ``place``. Raises ``HostError`` where there is none."""
    return _host(_captured(place))


def _host(root: Confined) -> Host:
    pci = PciSource(root)
    return Host(
        facts=FactsSource(root),
        pci=pci,
        vitals=VitalsSource(pci),
        nvml=_NoNvml(),
        drm=EmptySource(NO_READINGS),
        agent=EmptySource(NO_READINGS),
        guests=CapturedGuests(root / "domains", root),
        kind="captured",
        banner=f"Captured host: {root.label}",
        readonly=True,
        inspector=CapturedInspector(root),
        reopen=lambda: _host(root),
        uses=lambda addresses: device_uses(addresses, root),
    )


class CapturedInspector:
    """What a capture tells of readiness; of processes it has none."""

    def __init__(self, root: Tree) -> None:
        self._root = root

    def holders(self, addresses: Collection[str]) -> Holders:
        raise HostError("the capture does not tell who holds a card: only the host itself can")

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
        found = told_apart(_domain(self._directory, file, self._root) for file in sorted(files))
        domains = sorted(found, key=lambda domain: (domain.name, domain.uuid))
        uri = visible(str(self._directory))
        return Guests(uri, None, tuple(domains), readonly=True, captured=True)

    def watch(self, wake: Wake) -> None:
        """A captured host does not change."""

    def close(self) -> None:
        """Nothing is held."""


class _NoNvml:
    """NVML speaks of this machine's cards, not of captured ones."""

    def read(self) -> NvmlReading:
        raise HostError(NO_READINGS)

    def watch(self, wake: Wake) -> None:
        """There is nothing to hear of."""

    def close(self) -> None:
        """Nothing is held."""


def _domain(directory: Tree, file: str, root: Tree | None) -> Read:
    """The domain in a file; named after it, with the reason, when it cannot be read."""
    try:
        written = read(directory, file)
        found = on_host(definition(written.xml, identity(file)), root)
    except DefinitionError as error:
        name, raw = shown_name(file.removesuffix(SUFFIX), "unnamed")
        return Read(file, Domain(name, identity(file), "unknown", problem=str(error),
                                 unshown_name=raw))  # fmt: skip
    name, raw = shown_name(found.name, found.uuid)
    domain = Domain(
        name=name,
        uuid=found.uuid,
        unshown_name=raw,
        state=written.state or ("shut off" if found.active_id is None else "running"),
        hostdevs=found.hostdevs,
        vcpus=found.vcpus,
        memory_mib=found.memory_mib,
        agent=found.agent,
        kvm_hidden=found.kvm_hidden,
        problem=found.unclear,
    )
    return Read(file, domain, once=written.once)


def _captured(place: str) -> Confined:
    """The directory ``place``, which has a captured host in it. Raises ``HostError``, also
    where nothing answers in time: a server that is gone must not hold up the end."""
    answer: queue.SimpleQueue[Confined | Exception] = queue.SimpleQueue()

    def look() -> None:
        try:
            answer.put(_opened(place))
        except Exception as error:  # it is raised again where it is awaited
            answer.put(error)

    threading.Thread(target=look, name="captured host", daemon=True).start()
    try:
        found = answer.get(timeout=OPEN_TIMEOUT)
    except queue.Empty:
        raise HostError(f"{clean(place)} does not answer within {OPEN_TIMEOUT:.0f} s") from None
    if isinstance(found, Exception):
        raise found
    return found


def _opened(place: str) -> Confined:
    """The directory ``place``. Raises ``HostError`` where no captured host is in it."""
    expects = f"--root takes a captured host, a directory with {DEVICES} in it"
    shown = clean(place)
    try:
        root = Confined(place)
    except FileNotFoundError as error:
        raise HostError(f"there is no {shown}: {expects}") from error
    except NotADirectoryError as error:
        raise HostError(f"{shown} is not a directory: {expects}") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL
        raise HostError(f"{shown} cannot be read ({_why(error)}): {expects}") from error
    try:
        root = _inside(root)
        devices = root.names(DEVICES, FUNCTIONS_LIMIT)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise HostError(f"{shown} has no {DEVICES}: {expects}") from error
    except OSError as error:
        raise HostError(f"{shown} cannot be read ({_why(error)}): {expects}") from error
    _look_over(root, devices, shown)
    return root


def _look_over(root: Confined, devices: Sequence[str], shown: str) -> None:
    """Raises ``HostError`` where the ``devices`` were not captured, or got lost in an archive:
    it would look as if the host had none."""
    if not devices:
        raise HostError(f"{shown} has no device in {DEVICES}: {HOW_TO_UNPACK}")
    if not any(is_address(name) for name in devices):
        example = clean(f"{DEVICES}/{min(devices)}")
        raise HostError(f"{shown} has no PCI address in {DEVICES} ({example}): {HOW_TO_UNPACK}")
    for device in sorted(devices):
        place = f"{DEVICES}/{device}"
        if is_gone(root, place):
            raise HostError(f"{clean(place)} points to nothing in {shown}: capture that as well")
        if is_address(device) and _is_file(root, place):
            raise HostError(f"{clean(place)} is a file in {shown}, and no folder: {HOW_TO_UNPACK}")


def _is_file(root: Confined, name: str) -> bool:
    """Whether it is surely no folder; what we may not look at can be one."""
    try:
        return not stat.S_ISDIR(root.mode(name))
    except OSError:
        return False


def _inside(root: Confined) -> Confined:
    """Where the captured host is in a folder of ``root``, as archives unpack it: that folder, if
    it is the only one of the kind. Links are no such folders. Raises ``OSError``."""
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


def _has_devices(root: Confined) -> bool:
    try:
        return stat.S_ISDIR(root.mode(DEVICES))
    except OSError:
        return False


def _why(error: Exception) -> str:
    return clean(getattr(error, "strerror", None) or str(error))
