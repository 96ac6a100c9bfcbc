"""A captured host: the kernel's own layout below a directory, and its domains as XML files.

It comes from somebody else, in a bug report: nothing in it is trusted, and nothing of the
machine that shows it is mixed in, but the names of pci.ids.
"""

from __future__ import annotations

from pathlib import Path

from tui.host import Host, HostError, NothingToRead, Silent, Wake
from tui.host.domain_xml import DefinitionError, definition
from tui.host.facts import FactsSource
from tui.host.pci import PciSource, VitalsSource
from tui.host.sysfs import names_in, read_file
from tui.host.untrusted import clean
from tui.model import Domain, Guests, NvmlReading

DEVICES = "sys/bus/pci/devices"

NO_READINGS = "a captured host has no live readings"

DOMAINS_LIMIT = 1000
FILE_LIMIT = 4 << 20
"""Bytes of a domain's file that are read; what is in it has a limit of its own."""


def captured_host(root: Path) -> Host:
    """The host captured in ``root``. Raises ``HostError`` where there is none."""
    _check(root)
    home = root.resolve()
    pci = PciSource(home)
    return Host(
        facts=FactsSource(home),
        pci=pci,
        vitals=VitalsSource(pci),
        nvml=_NoNvml(),
        drm=Silent(NO_READINGS),
        agent=Silent(NO_READINGS),
        guests=CapturedGuests(home / "domains"),
        banner=f"Captured host: {clean(home.name) or home}",
        readonly=True,
        again=lambda: captured_host(root),
    )


class CapturedGuests:
    """Domains from ``*.xml`` files, each as ``virsh dumpxml`` prints it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self) -> Guests:
        try:
            files = sorted(f for f in self._directory.iterdir() if f.suffix == ".xml")
        except FileNotFoundError as error:
            raise NothingToRead("the domains of the captured host are not known") from error
        except OSError as error:
            what = clean(f"{self._directory}: {error.strerror}")
            raise HostError(f"the captured host has no domains ({what})") from error
        if len(files) > DOMAINS_LIMIT:
            raise HostError(
                f"the captured host has {len(files)} domains; vfiotop reads {DOMAINS_LIMIT}"
            )
        domains = sorted((_domain(file) for file in files), key=lambda d: d.name)
        return Guests(clean(str(self._directory)), None, tuple(domains), readonly=True)

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


def _domain(file: Path) -> Domain:
    """The domain in a file; named after it, with the reason, when it cannot be read."""
    try:
        found = definition(_text(file))
    except DefinitionError as error:
        name = clean(file.stem) or "unnamed"
        return Domain(name, uuid="", state="unknown", problem=str(error))
    return Domain(
        name=found.name,
        uuid=found.uuid,
        state="shut off" if found.active_id is None else "running",
        hostdevs=found.hostdevs,
        vcpus=found.vcpus,
        memory_mib=found.memory_mib,
        agent=found.agent,
        kvm_hidden=found.kvm_hidden,
    )


def _text(file: Path) -> str:
    try:
        return (read_file(str(file), FILE_LIMIT) or b"").decode("utf-8-sig")
    except OSError as error:
        raise DefinitionError(f"its file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DefinitionError("its file is not UTF-8 text") from error


def _check(root: Path) -> None:
    expects = f"--root takes a captured host, a directory with {DEVICES} in it"
    place = clean(str(root))
    try:
        if not root.exists():
            raise HostError(f"there is no {place}: {expects}")
        if not root.is_dir():
            raise HostError(f"{place} is not a directory: {expects}")
        if not (root / DEVICES).is_dir():
            raise HostError(f"{place} has no {DEVICES}: {expects}")
        home = root.resolve()
        for address in names_in(home / DEVICES):
            # A link with an absolute target would show this machine's device as captured.
            if not (home / DEVICES / address).resolve().is_relative_to(home):
                device = clean(f"{DEVICES}/{address}")
                raise HostError(f"{device} points out of {place}: capture it with relative links")
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symlinks
        reason = clean(getattr(error, "strerror", None) or str(error))
        raise HostError(f"{place} cannot be read ({reason}): {expects}") from error
