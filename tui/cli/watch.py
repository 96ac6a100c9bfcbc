"""``vfiotop watch``: the service that returns the card by itself."""

from __future__ import annotations

import argparse
import gc
import os
import platform
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui import config
from tui.cli.arguments import AddParser
from tui.cli.exits import DONE, FAILED, fail
from tui.host import EmptySource, Host, HostError
from tui.model import CLOCK, Event
from tui.model.endpoint import endpoint
from tui.model.errors import VfiotopError
from tui.process import output

if TYPE_CHECKING:
    from tui.host.watch.record import RecordFile
    from tui.session import Session
    from tui.watch.exporter import Exporter
    from tui.watch.program import EventProgram
    from tui.watch.remember import Remember

INTERVAL_S, HISTORY_INTERVAL_S = 5.0, 1.0
"""Minimum seconds between two readings of a source that is read on a timer, without and with a
history. Events are handled at once."""

KEEP_S = 5.0
"""Seconds that the watch has to cancel a return. It checks for requests once a second."""

POLL_S = 0.1
"""Seconds between two readings of its record while waiting for that."""

LAST_EVENTS_S = 5.0
"""Seconds that the program in on_event has for the remaining events when the watch ends."""


def add_commands(add: AddParser) -> None:
    """Add ``watch``."""
    parser = add("watch", "return the card when its guest has ended, and tell what happens")
    parser.add_argument(
        "--event-user", metavar="USER", help="run the program in on_event as this user"
    )
    parser.add_argument(
        "--keep", action="store_true",
        help="cancel the return that the running watch has announced",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Watch until a signal ends it, or have the running watch keep the card."""
    return _keep() if arguments.keep else _watch(host, settings, arguments)


def _keep() -> int:
    from tui.host.watch.keeper import ONLY_ROOT  # noqa: PLC0415
    from tui.host.watch.record import RecordError, RecordFile  # noqa: PLC0415
    from tui.host.watch.source import reading  # noqa: PLC0415

    file = RecordFile()
    try:
        record = file.read()
        pending = reading(record).pending if record is not None else None
        if pending is None:
            return fail("no watch is about to return a card", FAILED)
        if os.geteuid() != 0:
            return fail(ONLY_ROOT, FAILED)
        file.request_keep(pending.id)
        deadline = time.monotonic() + KEEP_S
        while time.monotonic() < deadline:
            record = file.read()
            if record is None or record.memory.acting:
                return fail(
                    f"the return has begun; afterwards: `vfiotop bind {pending.address}`", FAILED
                )
            if record.memory.pending is None or record.memory.pending.id != pending.id:
                output.say(f"{pending.address} stays on vfio-pci")
                return DONE
            time.sleep(POLL_S)
    except RecordError as error:
        return fail(str(error), FAILED)
    return fail("the watch does not answer: `systemctl status vfiotop-watch`", FAILED)


def _watch(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    from tui.host.run_folder import Taken  # noqa: PLC0415
    from tui.host.watch.record import LOCK, RecordFile  # noqa: PLC0415

    _free_what_the_start_needed()
    acts = os.geteuid() == 0 and not host.readonly and host.kind == "real"
    with ExitStack() as held:
        record = None
        if acts:
            record = RecordFile()
            try:
                held.enter_context(record.files.locked(LOCK))
            except Taken:
                return fail("a watch runs on this host already", FAILED)
            except OSError as error:
                raise HostError(f"{record.files.path}: {error.strerror}") from error
        elif settings.watch_policy != config.Config().watch_policy:
            output.note("vfiotop: moves no card: only root may, and not with --readonly")
        program = _program(host, settings, arguments)
        exports = held.enter_context(_exports(host, settings))
        try:
            _serve(host, settings, record, program, exports)
        finally:
            if program is not None:
                program.close(LAST_EVENTS_S)
    return DONE


def _free_what_the_start_needed() -> None:
    """argparse leaves cycles behind that take 0.5 MiB, and they are frozen."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _program(
    host: Host, settings: config.Config, arguments: argparse.Namespace
) -> EventProgram | None:
    """The object that runs the program in ``on_event``. Raises ``VfiotopError`` if the program
    would run as root, or cannot run as the chosen user."""
    if not settings.on_event:
        return None
    from tui.watch.program import EventProgram, identity  # noqa: PLC0415

    user = identity(arguments.event_user) if arguments.event_user is not None else None
    if os.geteuid() == 0 and user is None:
        raise VfiotopError(
            "on_event does not run as root", fix="name an ordinary user with --event-user"
        )
    if os.geteuid() != 0 and user is not None:
        raise VfiotopError(
            "only root can run on_event as another user", fix="leave out --event-user"
        )
    return EventProgram(settings.on_event, user, platform.node(), output.report_error)


@contextmanager
def _exports(host: Host, settings: config.Config) -> Iterator[Exporter | None]:
    """Serve metrics within this context, if the configuration says where. Raises ``ConfigError``
    for an unusable token; if the address is already in use, the watch runs without metrics."""
    at = endpoint(settings.metrics)
    if at is None:
        yield None
        return
    from tui.watch.exporter import Exporter  # noqa: PLC0415
    from tui.watch.http import Server  # noqa: PLC0415
    from tui.watch.listen import listening, token  # noqa: PLC0415

    exporter = Exporter(host.now, token(settings.metrics_token_file), local=at.path is None)
    with ExitStack() as held:
        try:
            server = Server(held.enter_context(listening(at)), exporter.respond)
            server.start()
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            output.report_error(f"no metrics at {settings.metrics}: {why}")
            yield None
        else:
            held.callback(server.close)
            yield exporter


def _serve(
    host: Host,
    settings: config.Config,
    record: RecordFile | None,
    program: EventProgram | None,
    exports: Exporter | None,
) -> None:
    from tui.sampler import Readers  # noqa: PLC0415
    from tui.session import Session  # noqa: PLC0415
    from tui.watch import systemd  # noqa: PLC0415
    from tui.watch.service import Service  # noqa: PLC0415

    remembers = settings.history and record is not None
    host = replace(host, watch=EmptySource("this is the watch"))
    readers = Readers(host, max(settings.interval, HISTORY_INTERVAL_S if remembers else INTERVAL_S))
    manager = systemd.Manager()
    session = Session(host, settings, readers)
    history = _history(session) if remembers else None
    outlets = (Printer(journal=systemd.in_journal()), program, history)
    service = Service(
        host,
        session,
        record,
        [outlet for outlet in outlets if outlet is not None],
        systemd.Inhibitor(),
        acts=record is not None,
        booting=systemd.booting,
        alarm=systemd.tell_console,
        alive=manager.tell,
        exports=exports,
        remember=history.look if history is not None else None,
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: service.stop())
    try:
        service.run()
    finally:
        systemd.notify("STOPPING=1")
        if history is not None:
            history.close()


def _history(session: Session) -> Remember:
    """The object that keeps the history. Raises ``HostError``."""
    from tui.host.history.folder import DISK, IN_MEMORY, MEMORY, ON_DISK  # noqa: PLC0415
    from tui.host.history.store import Store  # noqa: PLC0415
    from tui.host.run_folder import RunFolder  # noqa: PLC0415
    from tui.watch.remember import Remember  # noqa: PLC0415

    disk, memory = RunFolder(DISK), RunFolder(MEMORY)
    try:
        boot_id = disk.boot_id
    except (OSError, ValueError) as error:
        raise HostError(f"cannot tell which boot this is: {error}") from error
    return Remember(session.live, Store(disk, ON_DISK), Store(memory, IN_MEMORY), boot_id)


class Printer:
    """Prints each event as a line. ``journal``: for the systemd journal, which adds the time and
    takes a priority (sd-daemon(3))."""

    def __init__(self, *, journal: bool) -> None:
        self._journal = journal

    def tell(self, event: Event) -> None:
        """Print an event."""
        fix = f" → {event.fix}" if event.fix else ""
        text = f"{event.subject}: {event.text} (by {event.by}){fix}"
        if self._journal:
            priority = {"failed": 3, "warn": 4, "done": 5, "change": 5}.get(event.kind, 6)
            output.say_line(f"<{priority}>{text}")
        else:
            output.say_line(f"{CLOCK.time_of_day(event.at)}  {text}")
