"""``vfiotop status --follow --json``: a line of JSON for each reading that differs."""

from __future__ import annotations

import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tui import config
from tui.host import Host
from tui.model import HostView, Sample, SourceName
from tui.process import output
from tui.report.status_json import as_json
from tui.session import Session

FIRST_S = 5.0
"""Seconds that the sources have before the first line, which does not wait for one that hangs."""

LOOK_S = 1.0
"""Seconds between two checks whether anybody still reads the lines."""

GATHER_S = 0.05
"""Seconds within which readings share one line. The sources are read at the same moment."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Lines:
    """Requests the readings that a screen would, including the cards, while the lines are read."""

    shows_cards = True
    output_delay_s = 0.0


class Latest:
    """The last sample of each source, so that a slow reader costs no memory."""

    def __init__(self) -> None:
        self._samples: dict[SourceName, Sample] = {}
        self._lock = threading.Lock()
        self._arrived = threading.Event()

    def put(self, sample: Sample) -> None:
        """Replace the source's last sample. May be called on any thread; returns at once."""
        with self._lock:
            self._samples[sample.source] = sample
        self._arrived.set()

    def take(self, timeout_s: float, gather_s: float = GATHER_S) -> list[Sample]:
        """The samples since the last call. Waits at most ``timeout_s`` seconds for the first one,
        then ``gather_s`` seconds for those that come with it."""
        if self._arrived.wait(timeout_s):
            time.sleep(gather_s)
        self._arrived.clear()
        with self._lock:
            samples, self._samples = self._samples, {}
        return list(samples.values())


def follow(host: Host, settings: config.Config) -> None:
    """Print lines until a signal arrives or nobody reads them any more."""

    def show(session: Session) -> None:
        view, read_at = session.live.view, session.live.snapshot.read_at
        uri = settings.connect if host.banner is None else None
        output.say_json(as_json(view, host.now(), uri, None, read_at), indent=None)

    with suppress(KeyboardInterrupt), _interrupted():
        show_changes(Session(host, settings), show, _unread)


def show_changes(
    session: Session, show: Callable[[Session], None], ended: Callable[[], bool]
) -> None:
    """Call ``show`` when the view of a session differs from the one shown, until ``ended``."""
    latest, shown = Latest(), HostView()
    deadline = time.monotonic() + FIRST_S
    session.start(latest.put, Lines())
    try:
        while not ended():
            for sample in latest.take(LOOK_S):
                session.take(sample)
            for sample in session.stalled():
                session.take(sample, finished=False)
            complete = session.samplers.keys() <= session.finished.keys()
            if (complete or time.monotonic() >= deadline) and session.live.view != shown:
                shown = session.live.view
                show(session)
    finally:
        session.stop()


def _unread() -> bool:
    """Whether nobody reads the lines: the other end of the pipe is closed (poll(2), POLLERR), or
    they could not be written."""
    if output.STDOUT.lost is not None:
        return True
    poll = select.poll()
    poll.register(output.STDOUT.descriptor, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


@contextmanager
def _interrupted() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` for every terminating signal, even while a write waits for a
    reader that has stopped. Ignored signals stay ignored (nohup(1))."""
    heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = [signal.signal(number, signal.default_int_handler) for number in heard]
    try:
        yield
    finally:
        for number, handler in zip(heard, before, strict=True):
            signal.signal(number, handler)
