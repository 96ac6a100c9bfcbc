"""A captured host: the kernel's own layout below a directory, and its domains as XML files.

It comes from somebody else, in a bug report: nothing in it is trusted, its files are read
through ``Confined`` only, and nothing of the machine that shows it is mixed in, but the names
of pci.ids.
"""

from __future__ import annotations

import queue
import threading

from tui.host import Host, HostError, NothingToRead, Silent, Wake
from tui.host.confined import Confined
from tui.host.domain_xml import DefinitionError, definition
from tui.host.facts import FactsSource
from tui.host.pci import FUNCTIONS_LIMIT, PciSource, VitalsSource
from tui.host.tree import Tree, is_gone
from tui.host.untrusted import clean, shown_name, visible
from tui.model import Domain, Guests, NvmlReading

DEVICES = "sys/bus/pci/devices"

NO_READINGS = "a captured host has no live readings"

SUFFIX = ".xml"

DOMAINS_LIMIT = 1000
FILE_LIMIT = 4 << 20
"""Bytes of a domain's file that are read; what is in it has a limit of its own."""

PATIENCE = 5.0
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
        drm=Silent(NO_READINGS),
        agent=Silent(NO_READINGS),
        guests=CapturedGuests(root / "domains"),
        kind="captured",
        banner=f"Captured host: {root.label}",
        readonly=True,
        again=lambda: _host(root),
    )


class CapturedGuests:
    """Domains from ``*.xml`` files, each as ``virsh dumpxml`` prints it."""

    def __init__(self, directory: Tree) -> None:
        self._directory = directory

    def read(self) -> Guests:
        try:
            files = [n for n in self._directory.names() if n.endswith(SUFFIX) and n != SUFFIX]
        except FileNotFoundError as error:
            raise NothingToRead("the domains of the captured host are not known") from error
        except OSError as error:
            what = f"{self._directory}: {error.strerror}"
            raise HostError(f"the captured host has no domains ({what})") from error
        if len(files) > DOMAINS_LIMIT:
            raise HostError(
                f"the captured host has {len(files)} domains; vfiotop reads {DOMAINS_LIMIT}"
            )
        domains = [_domain(self._directory, file) for file in sorted(files)]
        domains.sort(key=lambda domain: domain.name)
        return Guests(visible(str(self._directory)), None, tuple(domains), readonly=True)

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


def _domain(directory: Tree, file: str) -> Domain:
    """The domain in a file; named after it, with the reason, when it cannot be read."""
    try:
        found = definition(_text(directory, file))
    except DefinitionError as error:
        name, raw = shown_name(file.removesuffix(SUFFIX), "unnamed")
        return Domain(name, uuid="", state="unknown", problem=str(error), unshown_name=raw)
    name, raw = shown_name(found.name, found.uuid)
    return Domain(
        name=name,
        uuid=found.uuid,
        unshown_name=raw,
        state="shut off" if found.active_id is None else "running",
        hostdevs=found.hostdevs,
        vcpus=found.vcpus,
        memory_mib=found.memory_mib,
        agent=found.agent,
        kvm_hidden=found.kvm_hidden,
    )


def _text(directory: Tree, file: str) -> str:
    try:
        data = directory.read(file, FILE_LIMIT)
    except OSError as error:
        raise DefinitionError(f"its file cannot be read: {error.strerror}") from error
    if data is None:
        raise DefinitionError("its file cannot be read: it points to nothing in the capture")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DefinitionError("its file is not UTF-8 text") from error


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
        found = answer.get(timeout=PATIENCE)
    except queue.Empty:
        raise HostError(f"{clean(place)} does not answer within {PATIENCE:.0f} s") from None
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
        devices = root.names(DEVICES, FUNCTIONS_LIMIT)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise HostError(f"{shown} has no {DEVICES}: {expects}") from error
    except OSError as error:
        raise HostError(f"{shown} cannot be read ({_why(error)}): {expects}") from error
    # A device that was left out of the capture would look as if the host had none there.
    for device in sorted(devices):
        if is_gone(root, f"{DEVICES}/{device}"):
            link = clean(f"{DEVICES}/{device}")
            raise HostError(f"{link} points to nothing in {shown}: capture that as well")
    return root


def _why(error: Exception) -> str:
    return clean(getattr(error, "strerror", None) or str(error))
