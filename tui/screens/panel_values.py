"""What the panels of the overview show, gathered from a session."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from tui.live import GUEST_CPU, GUEST_WAIT, card_key, vcpu_key
from tui.model import CARD_SERIES, CardSeries, Gpu, GuestDevice, Stretch, Window
from tui.rules.memory_checks import against_start
from tui.screens.base import HostScreen
from tui.screens.first_step_words import first_step_words
from widgets.card import Card, twins
from widgets.footer import Hint
from widgets.graph import Mark
from widgets.guest import GuestState
from widgets.marks import marks_for


class PanelValues:
    """Values for one drawing of ``screen``, as of ``at``. A full-screen panel has a ``window`` for
    its graphs; the others show the last minutes."""

    def __init__(self, screen: HostScreen, at: datetime) -> None:
        self._screen, self._session = screen, screen.session
        self._live, self._view, self._at = self._session.live, self._session.live.view, at
        self._twins = twins(self._view.gpus)

    def keys(self, *ids: str) -> tuple[Hint, ...]:
        """The keys of these commands, as shown in a panel's frame."""
        found = (self._screen.hint_of(name) for name in ids)
        return tuple(hint for hint in found if hint is not None)

    def _stretch(self, key: str, window: Window | None) -> Stretch:
        """A series of the history."""
        if window is None:
            return Stretch(self._live.history.series(key))
        return self._session.spans.stretch(key, window, self._at)

    def _card_series(self, address: str, window: Window | None) -> dict[CardSeries, Stretch]:
        """The series of a card."""
        if window is None:
            return {name: Stretch(each) for name, each in self._live.card_series(address).items()}
        return {name: self._stretch(card_key(address, name), window) for name in CARD_SERIES}

    def _marks(self, subjects: Collection[str], window: Window | None) -> tuple[Mark, ...]:
        """What happened to ``subjects``."""
        events, glyphs = self._live.events, self._screen.glyphs
        if window is None:
            return marks_for(events, subjects, self._at, glyphs)
        reach_s = window.cells * window.cell_s
        return marks_for(events, subjects, self._at, glyphs, cell_s=window.cell_s, reach_s=reach_s)

    def card(
        self,
        gpu: Gpu,
        number: int,
        lower: CardSeries | None,
        keys: tuple[Hint, ...],
        window: Window | None = None,
    ) -> Card:
        """The value of a card's panel; ``lower`` is the series that the user chose."""
        live, view, session = self._live, self._view, self._session
        age_s, last = live.age(gpu, self._at), live.last_readings.get(gpu.address)
        guest, swap = view.guest, view.swap
        subjects = {function.address for function in gpu.functions}
        series = self._card_series(gpu.address, window)
        return Card(
            gpu,
            self._at,
            number,
            {name: stretch.means for name, stretch in series.items()},
            lower,
            self._marks(subjects, window),
            view.checks if gpu.role == "guest" else (),
            swap,
            usual_s=live.swap_times.usual_s(swap.direction, swap.address) if swap else None,
            age_s=age_s,
            late_s=session.late_s,
            last=last.reading if last else None,
            last_age_s=(self._at - last.at).total_seconds() if last else None,
            quiet=session.quiet,
            guest=guest.domain.name if guest else None,
            host_driver=view.nvidia_driver,
            guest_driver=guest.driver_version if guest else None,
            keys=keys,
            start_key=self._screen.key_of("start"),
            checks_key=self._screen.key_of("doctor"),
            first_step=first_step_words(live, self._screen.key_of) if number == 1 else None,
            twin=gpu.address in self._twins,
            flash=gpu.role == "guest" and self._screen.flashes,
            extremes={n: each.extremes for n, each in series.items() if each.extremes},
        )

    def guest(
        self,
        devices: tuple[GuestDevice, ...],
        keys: tuple[Hint, ...],
        window: Window | None = None,
    ) -> GuestState:
        """The value of the guest's panel; ``devices`` are the verdicts on its host devices."""
        live, view = self._live, self._view
        problem, hung, last = view.problem("guests"), "guests" in live.silent, live.last_guests
        guests, since = view.guests, live.snapshot.read_at.get("guests") if hung else None
        if problem is not None and last is not None:
            guests, since = last
        allowed = next((guest for guest in guests if guest.allowed), None)
        domain, cpus = (allowed.domain, allowed.cpus) if allowed else (None, None)
        series = live.history.series
        cpu = self._stretch(GUEST_CPU, window)
        shows_wait = cpus is not None or window is not None
        wait = self._stretch(GUEST_WAIT, window) if shows_wait else Stretch()
        return GuestState(
            guests,
            self._at,
            view.guest_gpu,
            devices,
            view.functions,
            (*view.checks, *against_start(domain, live.snapshot.memory)),
            cpu.means,
            self._marks({domain.name} if domain else (), window),
            problem,
            (self._at - since).total_seconds() if since else None,
            hung,
            live.ended_at.get(domain.uuid) if domain else None,
            keys=keys,
            roles_key=self._screen.key_of("roles"),
            wait=wait.means,
            extremes=cpu.extremes,
            wait_extremes=wait.extremes,
            vcpu_waits=tuple(series(vcpu_key(cpu.number)) for cpu in cpus.cpus) if cpus else (),
            worst_wait=live.waits.worst(self._at),
        )  # fmt: skip
