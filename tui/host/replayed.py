"""A recording of a host: the history of its watch, and the host's own facts if they were captured
with it.

The host stands at the end of the recording: its clock does, and what a card or a guest was then is
its reading. Like a captured host it arrives in a bug report, and nothing in it is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from shlex import quote
from typing import Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from tui.host import EmptySource, Host, HostError, Source, Wake
from tui.host.captured import NO_READINGS, OPEN_TIMEOUT, captured_host
from tui.host.confined import Confined
from tui.host.drm.source import DRIVERS
from tui.host.history.folder import segments_among
from tui.host.history.recording import FOLDER, Recording, TooMuch, entries_in, recording
from tui.host.timeout import within
from tui.host.tree import Tree
from tui.host.untrusted import clean
from tui.model import (
    CARD_SERIES,
    NO_RESPONSE,
    NVIDIA,
    VCPU_LIMIT,
    AgentReading,
    CardReading,
    CardVitals,
    Domain,
    DrmReading,
    GuestCard,
    GuestReport,
    Guests,
    HostFacts,
    Inventory,
    Metrics,
    MetricsSource,
    NvmlReading,
    PciFunction,
    VcpuTime,
    Vitals,
    is_vfio_driver,
)
from tui.model.address import is_address
from tui.model.past import PastReadings, SeriesKey

EXPECTS = "replay expects a capture that has a history, or the folder of a history"

READ_TIMEOUT = 10.0
"""Seconds for the history to be read."""

BARE_LIMIT = 64
"""Cards, and guests, that are shown of a history without its host."""

UNREAD = "not read at the end of the recording"

_GPU_CLASS = "030000"

_NOT_CAPTURED = (
    "vendor", "device", "class", "driver", "iommu_group", "reset_method", "power/runtime_status",
)  # fmt: skip
"""The attributes of a card of which only the history is known."""

_CPU, _WAIT = "cpu", "wait."
"""The series of a guest: its load, and the prefix of those with each vCPU's wait."""

T = TypeVar("T")
P = TypeVar("P")


class Replayed(NamedTuple):
    """A host at the end of a recording. ``card`` and ``guest`` are the guest's card and the UUID of
    the guest; they are known only from a history without its host."""

    host: Host
    card: str | None = None
    guest: str | None = None


def replayed(path: str) -> Replayed:
    """Open the recording in the directory or archive ``path``. Raises ``HostError`` if there is
    none."""
    shown = clean(path)
    try:
        bare = within(OPEN_TIMEOUT, lambda: _bare_folder(path))
        if bare is not None:
            return _bare(within(READ_TIMEOUT, lambda: _recording(bare)))
        host = captured_host(path, EXPECTS)
        assert host.root is not None
        folder = host.root / FOLDER
        return Replayed(_at_end(host, within(READ_TIMEOUT, lambda: _recording(folder))))
    except _Unusable as error:
        fix = f"`vfiotop --root {quote(shown)}` shows the host as it was captured"
        raise HostError(f"{shown} {error}", fix if bare is None else EXPECTS) from error
    except TimeoutError as error:
        raise HostError(f"{shown} does not answer ({error})") from error


class _Unusable(Exception):
    """There is no recording, for a reason that follows the name of the place."""


def _bare_folder(path: str) -> Confined | None:
    """The directory ``path`` if it has the files of a history itself."""
    try:
        folder = Confined(path)
        return folder if segments_among(folder.names()) else None
    except (OSError, ValueError):  # not a directory, or a NUL: other kinds are tried later
        return None


def _recording(folder: Tree) -> Recording:
    try:
        found = recording(entries_in(folder))
    except FileNotFoundError as error:
        raise _Unusable("has no history: the watch of that host kept none") from error
    except OSError as error:
        raise _Unusable(f"has a history that cannot be read: {error.strerror}") from error
    except TooMuch as error:
        raise _Unusable("has a history that holds more than a watch would write") from error
    if found is None:
        raise _Unusable("has no history that this version of vfiotop can read")
    return found


def banner(found: Recording) -> str:
    """What is on every screen: when the recording ends, in the time zone of whoever looks at it."""
    return f"Recorded {found.clock.now().astimezone():%Y-%m-%d %H:%M}"


# --- a captured host at the end of its recording --------------------------------------


class _WholePast:
    """A history that is read completely already."""

    def __init__(self, past: PastReadings) -> None:
        self._past = past

    def newest(self) -> PastReadings:
        return self._past

    def everything(self) -> PastReadings:
        return self._past


class _Fixed(Generic[T]):
    """A source whose reading never changes."""

    def __init__(self, reading: T) -> None:
        self._reading = reading

    def read(self) -> T:
        return self._reading

    def watch(self, wake: Wake) -> None:
        """There are no events."""

    def close(self) -> None:
        """This source holds nothing."""


def _at_end(host: Host, found: Recording) -> Host:
    """The captured host with the readings and the clock of the end of its recording."""
    gpus: tuple[PciFunction, ...] = ()
    with suppress(HostError):  # its own source says why
        gpus = host.pci.read().gpus
    guests: Guests | None = None
    with suppress(HostError):
        guests = host.guests.read()
    domains = () if guests is None else tuple(_domain(each, found) for each in guests.domains)
    nvidia = [gpu for gpu in gpus if gpu.vendor == NVIDIA and not is_vfio_driver(gpu.driver)]
    others = [gpu for gpu in gpus if gpu.driver in DRIVERS]
    at_end = replace(
        host,
        nvml=_source(_cards(nvidia, found), lambda cards: NvmlReading(None, cards)),
        drm=_source(_cards(others, found), DrmReading),
        agent=_source(_reports(domains, gpus, found), AgentReading),
        banner=banner(found),
        history=_WholePast(found.past),
        now=found.clock.now,
        reopen=lambda: _at_end(host.opened_again(), found),
    )
    if guests is None:
        return at_end
    return replace(at_end, guests=_Fixed(replace(guests, domains=domains)))


def _source(parts: tuple[P, ...], reading: Callable[[tuple[P, ...]], T]) -> Source[T]:
    """The source of a reading with these parts, or of none without any."""
    return _Fixed(reading(parts)) if parts else EmptySource(UNREAD)


def _metrics(address: str, found: Recording) -> Metrics | None:
    """What a card was at the end; ``None`` if nothing of it was measured."""
    values = {
        field: found.last(SeriesKey(address, series)) for series, field in CARD_SERIES.items()
    }
    measured = any(value is not None for value in values.values())
    return replace(Metrics(), **values) if measured else None


def _cards(gpus: Iterable[PciFunction], found: Recording) -> tuple[CardReading, ...]:
    """The readings of these cards; none if no card has one."""
    metrics = {gpu.address: _metrics(gpu.address, found) for gpu in gpus}
    if not any(metrics.values()):
        return ()
    sources: dict[str, MetricsSource] = {
        gpu.address: DRIVERS.get(gpu.driver or "", "nvml") for gpu in gpus
    }
    return tuple(
        CardReading(address, sources[address], each or Metrics(), failed=None if each else UNREAD)
        for address, each in metrics.items()
    )


def _reports(
    domains: Iterable[Domain], gpus: Sequence[PciFunction], found: Recording
) -> tuple[GuestReport, ...]:
    """What the guests reported of the cards that they have."""
    reports = []
    for domain in domains:
        mine = [gpu for gpu in gpus if gpu.address in domain.functions]
        cards = tuple(
            GuestCard(gpu.vendor, gpu.device, gpu.subsystem, metrics=metrics)
            for gpu in mine
            if is_vfio_driver(gpu.driver) and (metrics := _metrics(gpu.address, found))
        )
        if cards:
            reports.append(GuestReport(domain.uuid, cards=cards, taken_at=found.clock.now()))
    return tuple(reports)


def _domain(domain: Domain, found: Recording) -> Domain:
    """A domain with its load, and the waits of its vCPUs, at the end."""
    waits = (found.last(SeriesKey(domain.uuid, f"{_WAIT}{n}")) for n in range(VCPU_LIMIT))
    return replace(
        domain,
        cpu_pct=found.last(SeriesKey(domain.uuid, _CPU)),
        vcpu_times=tuple(
            VcpuTime(number, wait_ms=wait) for number, wait in enumerate(waits) if wait is not None
        ),
    )


# --- a history without its host -------------------------------------------------------


def _bare(found: Recording) -> Replayed:
    """A host with the cards and guests that the history names, of which nothing else is known."""
    past = found.past
    owners = sorted({key.owner for key in past.keys} | {swap.address for swap in past.swaps})
    cards = [each for each in owners if is_address(each)][:BARE_LIMIT]
    functions = tuple(
        PciFunction(
            each, NO_RESPONSE, NO_RESPONSE, _GPU_CLASS, "unknown card", unreadable=_NOT_CAPTURED
        )
        for each in cards
    )
    uuids = [each for each in owners if not is_address(each)][:BARE_LIMIT]
    domains = tuple(_bare_domain(uuid, found, alone=len(uuids) == 1) for uuid in uuids)
    reading = _cards(functions, found)
    host = Host(
        facts=_Fixed(HostFacts("unknown", "unknown", captured=True)),
        pci=_Fixed(Inventory(functions, groups_known=False)),
        vitals=_Fixed(Vitals(tuple(map(CardVitals, cards)))),
        nvml=EmptySource(NO_READINGS),
        drm=_source(reading, DrmReading),
        guests=_Fixed(Guests("", None, domains, readonly=True, captured=True)),
        kind="captured",
        banner=banner(found),
        readonly=True,
        history=_WholePast(past),
        now=found.clock.now,
    )
    card = past.swaps[0].address if past.swaps else None
    return Replayed(host, card, uuids[0] if len(uuids) == 1 else None)


def _bare_domain(uuid: str, found: Recording, *, alone: bool) -> Domain:
    """A domain that has series. Its name is in events (tui.rules.domain_events), which do not say
    whose they are."""
    names = {event.subject for event in found.past.events if event.text in ("started", "stopped")}
    name = names.pop() if alone and len(names) == 1 else uuid
    runs = found.last(SeriesKey(uuid, _CPU)) is not None
    why = "its definition is not in the history"
    return _domain(Domain(name, uuid, "running" if runs else "unknown", problem=why), found)
