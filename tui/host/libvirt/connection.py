"""One connection to libvirt that never asks for a password, notices when the daemon is
gone, and tells when a domain changes.

libvirt delivers events through an event loop that belongs to the process: it is started
before the first connection and runs in one daemon thread. What it calls does nothing but
pass the word on.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import libvirt

from tui.host.calls import CallLog
from tui.host.libvirt.errors import NO_SUPPORT, is_refusal

Changed = Callable[[str | None], None]
"""Called from the event loop's thread with the UUID of a domain that changed, or ``None``
when the connection was lost; returns at once."""

KEEPALIVE_SECONDS = 5
KEEPALIVE_COUNT = 3
"""A daemon that leaves so many probes in a row unanswered is given up."""

STATS = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)

_EVENTS = (
    libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
    libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
)

_starting = threading.Lock()
_running = threading.Event()


def _start_event_loop() -> None:
    with _starting:
        if _running.is_set():
            return
        # Errors are raised as well; printed, they would land in the middle of the screen.
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=_run_event_loop, name="libvirt-events", daemon=True).start()
        _running.set()


def _run_event_loop() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


@contextlib.contextmanager
def _where_supported() -> Iterator[None]:
    """For what some drivers do without."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() != NO_SUPPORT:
            raise


def without_prompts(uri: str) -> str:
    """``uri`` such that ssh, where it is the transport, fails rather than asks."""
    parts = urlsplit(uri)
    if not parts.scheme.endswith("+ssh") or "no_tty=" in parts.query:
        return uri
    return parts._replace(query="&".join(filter(None, (parts.query, "no_tty=1")))).geturl()


def _open(uri: str, flags: int) -> libvirt.virConnect:
    """An empty list of credentials: libvirt has nothing that it could ask the user for."""
    nothing_to_ask = [[], lambda _credentials, _data: -1, None]
    return libvirt.openAuth(without_prompts(uri), nothing_to_ask, flags)


class Connection:
    """An open connection. Used by the thread that opened it. Methods raise ``libvirtError``."""

    def __init__(
        self, uri: str, readonly: bool, changed: Changed, calls: CallLog | None = None
    ) -> None:
        """Open ``uri`` for reading and writing, or for reading only where that is asked
        for or all that is granted. May block. What it costs the daemon is counted in
        ``calls``."""
        _start_event_loop()
        self._changed = changed
        self.calls = calls or CallLog()
        self.calls.count("libvirt")
        self._callbacks: list[int] = []
        self.readonly = readonly
        try:
            self._open = _open(uri, libvirt.VIR_CONNECT_RO if readonly else 0)
        except libvirt.libvirtError as error:
            if readonly or not is_refusal(error):
                raise
            self._open = self._open_for_reading(uri, error)
            self.readonly = True
        try:
            self._listen()
            self.version = self._version()
        except libvirt.libvirtError:
            self.close()
            raise

    @staticmethod
    def _open_for_reading(uri: str, refusal: libvirt.libvirtError) -> libvirt.virConnect:
        try:
            return _open(uri, libvirt.VIR_CONNECT_RO)
        except libvirt.libvirtError:
            raise refusal from None  # it tells the user more than a missing second socket

    def _listen(self) -> None:
        with _where_supported():
            self._open.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT)
        with _where_supported():
            self._open.registerCloseCallback(self._on_close, None)
        for event in _EVENTS:
            with _where_supported():
                self._callbacks.append(
                    self._open.domainEventRegisterAny(None, event, self._on_event, None)
                )

    def _on_event(self, _connection: object, domain: libvirt.virDomain, *_details: object) -> None:
        self._changed(domain.UUIDString())

    def _on_close(self, _connection: object, _reason: int, _data: object) -> None:
        self._changed(None)

    def _version(self) -> str:
        """virConnectGetLibVersion: the daemon's, 1000000 * major + 1000 * minor + release."""
        number = int(self._open.getLibVersion())
        return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"

    @property
    def alive(self) -> bool:
        """Whether it may be used on. One that cannot even tell may not."""
        try:
            return bool(self._open.isAlive())
        except libvirt.libvirtError:
            return False

    def domains(self) -> list[tuple[libvirt.virDomain, dict[str, object]]]:
        """Every domain with its statistics. Of one that is busy with another request come
        only those that need not wait for it."""
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        self.calls.count("libvirt")
        try:
            return list(self._open.getAllDomainStats(STATS, flags))
        except libvirt.libvirtError as error:
            if error.get_error_code() != NO_SUPPORT:
                raise
        return [(domain, {}) for domain in self._open.listAllDomains()]

    def domain(self, uuid: str) -> libvirt.virDomain:
        """virDomainLookupByUUIDString."""
        self.calls.count("libvirt")
        return self._open.lookupByUUIDString(uuid)

    def close(self) -> None:
        """Let go of the connection, be it alive or dead. Never raises."""
        for callback in self._callbacks:
            with contextlib.suppress(libvirt.libvirtError):
                self._open.domainEventDeregisterAny(callback)
        self._callbacks.clear()
        with contextlib.suppress(libvirt.libvirtError):
            self._open.unregisterCloseCallback()
        with contextlib.suppress(libvirt.libvirtError):
            self._open.close()
