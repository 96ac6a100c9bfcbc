"""A libvirt connection that never prompts, notices a dead daemon, and reports domain events.

libvirt delivers events through one event loop per process. It starts before the first connection
and runs in a daemon thread. The callbacks that it calls only forward the event.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import libvirt

from tui.host.calls import CallLog
from tui.host.libvirt.errors import NO_SUPPORT, is_refusal

ChangeCallback = Callable[[str | None], None]
"""Called from the event loop's thread with the UUID of a domain that changed, or with ``None``
when the connection is lost. Returns at once."""

KEEPALIVE_S = 5
KEEPALIVE_COUNT = 3
"""Unanswered keepalive probes in a row after which libvirt drops the connection."""

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
    libvirt.VIR_DOMAIN_EVENT_ID_TUNABLE,  # such as a vCPU that is pinned to other CPUs
)

_starting = threading.Lock()
_running = threading.Event()


def _start_event_loop() -> None:
    with _starting:
        if _running.is_set():
            return
        # libvirt raises errors as well as printing them, and the output would corrupt the screen.
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=_run_event_loop, name="libvirt-events", daemon=True).start()
        _running.set()


def _run_event_loop() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


@contextlib.contextmanager
def _if_supported() -> Iterator[None]:
    """Ignore that a driver does not support a call."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() != NO_SUPPORT:
            raise


def without_prompts(uri: str) -> str:
    """Return ``uri`` changed so that an ssh transport fails instead of prompting."""
    parts = urlsplit(uri)
    if not parts.scheme.endswith("+ssh") or "no_tty=" in parts.query:
        return uri
    return parts._replace(query="&".join(filter(None, (parts.query, "no_tty=1")))).geturl()


def _open(uri: str, flags: int) -> libvirt.virConnect:
    """Open with an empty list of credential types, so that libvirt cannot prompt for any."""
    no_credentials = [[], lambda _credentials, _data: -1, None]
    return libvirt.openAuth(without_prompts(uri), no_credentials, flags)


class Connection:
    """An open connection, used by the thread that opened it. Methods raise ``libvirtError``."""

    def __init__(
        self, uri: str, readonly: bool, changed: ChangeCallback, calls: CallLog | None = None
    ) -> None:
        """Open ``uri``, read-only if ``readonly`` is set or libvirt grants no more.

        May block. ``calls`` counts the requests to the daemon.
        """
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
            self._open = self._open_readonly(uri, error)
            self.readonly = True
        try:
            self._subscribe()
            self.version = self._version()
        except libvirt.libvirtError:
            self.close()
            raise

    @staticmethod
    def _open_readonly(uri: str, refusal: libvirt.libvirtError) -> libvirt.virConnect:
        try:
            return _open(uri, libvirt.VIR_CONNECT_RO)
        except libvirt.libvirtError:
            raise refusal from None  # more useful than that the read-only socket is missing, too

    def _subscribe(self) -> None:
        with _if_supported():
            self._open.setKeepAlive(KEEPALIVE_S, KEEPALIVE_COUNT)
        with _if_supported():
            self._open.registerCloseCallback(self._on_close, None)
        for event in _EVENTS:
            with _if_supported():
                self._callbacks.append(
                    self._open.domainEventRegisterAny(None, event, self._on_event, None)
                )

    def _on_event(self, _connection: object, domain: libvirt.virDomain, *_details: object) -> None:
        self._changed(domain.UUIDString())

    def _on_close(self, _connection: object, _reason: int, _data: object) -> None:
        self._changed(None)

    def _version(self) -> str:
        """The daemon's version, from virConnectGetLibVersion.

        That is 1000000 * major + 1000 * minor + release.
        """
        number = int(self._open.getLibVersion())
        return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"

    @property
    def alive(self) -> bool:
        """Whether the connection can still be used; ``False`` if libvirt cannot tell."""
        try:
            return bool(self._open.isAlive())
        except libvirt.libvirtError:
            return False

    def domains(self) -> list[tuple[libvirt.virDomain, dict[str, object]]]:
        """Return every domain with its statistics.

        A domain that is busy with another request has only the statistics that need no wait
        (VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT).
        """
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        self.calls.count("libvirt")
        try:
            return list(self._open.getAllDomainStats(STATS, flags))
        except libvirt.libvirtError as error:
            if error.get_error_code() != NO_SUPPORT:
                raise
        return [(domain, {}) for domain in self._open.listAllDomains()]

    def domain(self, uuid: str) -> libvirt.virDomain:
        """Look a domain up (virDomainLookupByUUIDString)."""
        self.calls.count("libvirt")
        return self._open.lookupByUUIDString(uuid)

    def close(self) -> None:
        """Close the connection, alive or dead. Never raises."""
        for callback in self._callbacks:
            with contextlib.suppress(libvirt.libvirtError):
                self._open.domainEventDeregisterAny(callback)
        self._callbacks.clear()
        with contextlib.suppress(libvirt.libvirtError):
            self._open.unregisterCloseCallback()
        with contextlib.suppress(libvirt.libvirtError):
            self._open.close()
