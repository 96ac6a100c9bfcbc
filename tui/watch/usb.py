"""Attaches lent USB devices again after a replug, one at a time, on a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from tui.guest.usb import LendingLost, attach_again, is_final
from tui.host import Host, HostError
from tui.model.errors import Refused
from tui.rules.roles import Choice
from tui.rules.usb_lendings import Replugged


class Attached(NamedTuple):
    """What became of a device that was plugged in again: ``problem`` says why it was not attached.
    ``lost``: its element is gone, so the domain does not record its lending any more. ``final``:
    another try would fail, too."""

    again: Replugged
    problem: str | None = None
    lost: bool = False
    final: bool = False


class Attacher:
    """Attaches devices in order; ``done`` gets what became of each, on the attacher's thread.

    One at a time, because the checks of the next one must see what the host has left by then. Of
    each lending only the latest device waits: a plug with a loose contact, or a guest that makes
    its device re-enumerate, can be faster than libvirt.
    """

    def __init__(self, host: Host, choice: Choice, done: Callable[[Attached], object]) -> None:
        self._host, self._choice, self._done = host, choice, done
        self._waiting: dict[tuple[str, str], Replugged] = {}
        self._lock = threading.Lock()
        self._turns: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._started = False

    def attach(self, again: Replugged) -> None:
        """Attach a device soon. Returns at once."""
        turn = again.lending.uuid, again.lending.mark.who
        with self._lock:
            waits = turn in self._waiting
            self._waiting[turn] = again
        if not waits:
            self._turns.put(turn)
        if self._started:
            return
        try:
            threading.Thread(target=self._run, name="usb", daemon=True).start()
        except RuntimeError as error:
            self._done(Attached(self._next(), str(error)))
        else:
            self._started = True

    def _run(self) -> None:
        while True:
            self._done(self._attached(self._next()))

    def _next(self) -> Replugged:
        turn = self._turns.get()
        with self._lock:
            return self._waiting.pop(turn)

    def _attached(self, again: Replugged) -> Attached:
        try:
            attach_again(self._host.opened_again(), self._choice, again)
        except LendingLost as error:
            return Attached(again, str(error), lost=True)
        except (Refused, HostError) as error:
            return Attached(again, str(error), final=is_final(error, again))
        except Exception as error:  # a bug of ours must not end the thread
            text = f"vfiotop failed here ({error!r}); please report it"
            return Attached(again, text, final=True)
        return Attached(again)
