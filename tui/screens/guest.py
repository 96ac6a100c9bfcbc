"""An action on the guest: its plan, the question, and how it ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from msgspec.structs import replace
from textual.app import ScreenStackError
from textual.binding import BindingType

from tui.background import BackgroundAction, background
from tui.commands import Command, bindings
from tui.guest.execute import execute
from tui.guest.plan import STOP_S, doubts_to_confirm
from tui.guest.planning import guest_plan_once
from tui.host import HostError, Unsettled
from tui.model import Domain, Event, GuestAction, GuestPlan, Plan, Swap
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent, SwapRequest
from tui.screens import guest_stages as stages
from tui.screens import guest_words as words
from tui.screens import plan_pages as pages
from tui.screens import swap_words
from tui.screens.base import CHECK_S, HostScreen, open_screen
from tui.screens.begin import SwapFollower, SwapLost, begin
from tui.screens.guest_stages import (
    Asking,
    Failed,
    Planning,
    Requested,
    Running,
    Shown,
    Situation,
    Stage,
)
from tui.screens.plan import PlanScreen
from tui.screens.swap import SwapScreen
from tui.session import Session
from tui.swap.consent import consent_key, consent_to
from widgets.panel import Accent
from widgets.plan_page import PlanPage

DONE_S = 10.0
"""Seconds within which a change of the domain counts as the one we asked for."""

TICK_S = 1.0
"""Seconds between two drawings of a countdown, or of a swap in progress."""

LEFT_S = 30.0
"""Seconds for which another screen shows that an action begun here has failed."""


class GuestScreen(PlanScreen):
    """Makes the plan of an action on a guest and asks. An action that was begun continues if
    you leave this screen; if it then fails, the application says so."""

    NAME = "guest"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    ACCENT: ClassVar[Accent] = "guest"

    def __init__(self, session: Session, action: GuestAction, domain: Domain) -> None:
        super().__init__(session)
        self._action = action
        self._domain = domain
        self._stage: Stage = Planning()
        self._whole: GuestPlan | None = None
        """The plan as it was shown, including the swap that comes first."""

    def on_mount(self) -> None:
        self.set_interval(TICK_S, self._tick)
        if self._action == "stop" and self._domain.uuid in self.session.pending_stops:
            self._stage = Requested()
        else:
            self.run_worker(self._make_plan(), exclusive=True)

    def _tick(self) -> None:
        swap = self._swap
        if stages.counts_down(self._stage, self._situation) or (swap and swap.under_way):
            self.show()

    def _go_to(self, stage: Stage) -> None:
        self._stage = stage
        self.show()

    # --- the plan ---

    async def _make_plan(self) -> None:
        reopen, choice = self.session.host.reopen, self.session.live.choice
        if reopen is None:
            return
        action, uuid = self._action, self._domain.uuid
        planning = background(lambda: guest_plan_once(reopen(), choice, action, uuid=uuid)[0])
        try:
            self._whole = await asyncio.wait_for(planning, CHECK_S)
            stage: Stage = Shown(plan=self._whole)
        except TimeoutError:
            stage = Failed(why=f"the host could not be checked within {CHECK_S:.0f} s")
        except HostError as error:
            stage = Failed(why=str(error))
        except Exception as error:  # a bug of ours, reported where the plan would be
            stage = Failed(why=swap_words.defect(error))
        self._go_to(stage)

    # --- keys ---

    def why_not(self, action: str) -> str | None:
        if action == "give_back":
            return self.session.why_not("unbind")
        seen = self._situation
        if action in stages.visible_keys(self._stage, seen):
            unavailable = self.session.host.control.unavailable_reason
            reason = stages.why_not(action, self._stage, seen, self._domain, unavailable)
            return reason or self.why_unseen(action)
        return super().why_not(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that do nothing at this stage."""
        visible = stages.visible_keys(self._stage, self._situation).get(action, True)
        return super().check_action(action, parameters) if visible else False

    def word(self, command: Command) -> str:
        """What a key does at this stage."""
        asks = self.session.host.mover.needs_terminal
        own = stages.word(command.id, self._stage, self._situation, asks=asks)
        return own or super().word(command)

    def action_carry_out(self) -> None:
        plan = self._stage.plan
        if plan is None or not isinstance(self._stage, Shown):
            return
        consent = consent_to(plan)
        doubts = doubts_to_confirm(plan, elevated=self.session.host.mover.needs_terminal)
        if doubts:
            text = "; ".join(f"{doubt.why} ({doubt.id})" for doubt in doubts)
            doubt = Doubtful(text, [consent_key(doubt) for doubt in doubts])
            self._go_to(Asking(plan=plan, consent=consent, doubt=doubt))
        else:
            self._begin(consent)

    def action_despite(self) -> None:
        if isinstance(self._stage, Asking):
            self._begin(self._stage.consent.and_also(self._stage.doubt.checks))

    def action_force(self) -> None:
        # A new screen: this one waits for the stop, which libvirt may still be busy with.
        open_screen(self.app, GuestScreen(self.session, "force-off", self._domain))

    def action_resume(self) -> None:
        open_screen(self.app, GuestScreen(self.session, "resume", self._domain))

    def action_give_back(self) -> None:
        open_screen(self.app, SwapScreen(self.session, "unbind"))

    # --- carrying it out ---

    def _begin(self, consent: Consent) -> None:
        plan = self._stage.plan
        if plan is not None:
            running = Running(plan=plan, swap_id=self._stage.swap_id, consent=consent)
            self._go_to(running)
            # A worker of the application, so that it continues without this screen.
            self.app.run_worker(self._carry_out(plan, consent))

    async def _carry_out(self, plan: GuestPlan, consent: Consent) -> None:
        try:
            if plan.swap is not None:
                await self._bind(plan, plan.swap, consent)
                # The card is bound now: if the start is requested again, it needs no swap.
                plan = replace(plan, swap=None)
                self._stage = replace(self._stage, plan=plan)
            await self._request(plan, consent)
            swap_id = self._stage.swap_id
            stage: Stage = Requested(plan=plan, swap_id=swap_id)
        except Doubtful as doubt:
            swap_id = self._stage.swap_id
            stage = Asking(plan=plan, swap_id=swap_id, consent=consent, doubt=doubt)
        except Unsettled as error:
            half_done = error.state == "paused" or plan.action in words.MAY_PAUSE
            why = words.unsettled(error, usable=half_done, keys=self.keys)
            stage = self._failed(why, half_done=half_done)
        except (Refused, HostError) as error:
            stage = self._failed(str(error))
        except Exception as error:  # a bug of ours, reported where the answer would be
            stage = self._failed(swap_words.defect(error))
        self._stage = stage
        with suppress(ScreenStackError):  # the application may have ended in the meantime
            self._report(plan)

    def _failed(self, why: str, *, half_done: bool = False) -> Failed:
        stage = self._stage
        return Failed(
            plan=stage.plan, swap_id=stage.swap_id, why=why, half_done=half_done,
            requested=stages.is_requested(stage),
        )  # fmt: skip

    def _report(self, plan: GuestPlan) -> None:
        """Draw the outcome. If the user has left this screen, the current one says why the action
        failed, or what has to be asked; the events keep it."""
        if self in self.app.screen_stack:
            self.show()
            return
        match self._stage:
            case Failed(why=why) | Asking(doubt=why):
                self.session.live.note(
                    Event(self.session.host.now(), plan.name, str(why), "failed", "vfiotop")
                )
                if isinstance(self.app.screen, HostScreen):
                    self.app.screen.say(f"{plan.name}: {why}", LEFT_S, warns=True)

    async def _bind(self, plan: GuestPlan, swap_plan: Plan, consent: Consent) -> None:
        """Begin the swap that comes first, and follow it to its end in the journal."""
        consent = consent_to(swap_plan).and_also(consent.accepted)
        request = SwapRequest(swap_plan.direction, swap_plan.address, consent=consent)
        follower = SwapFollower(self.session)
        identity = await begin(self.app, self.session.host.mover, request)
        self._go_to(replace(self._stage, swap_id=identity))
        try:
            swap = await follower.until(identity, lambda swap: not swap.under_way)
        except SwapLost as error:
            raise Refused(f"{error}; {plan.name} was not started") from error
        if swap.state != "done":
            came_to = "was undone" if swap.state == "undone" else "did not finish"
            why = f": {swap.message}" if swap.message else ""
            raise Refused(f"the bind {came_to}{why}; {plan.name} was not started")

    async def _request(self, plan: GuestPlan, consent: Consent) -> None:
        """Ask libvirt for the action. Raises what ``carry_out`` raises."""
        session = self.session
        reopen, choice, connect = session.host.reopen, session.live.choice, session.config.connect
        if reopen is None:
            return
        patience = STOP_S if plan.action == "stop" else DONE_S
        session.live.expect_change(plan.uuid, session.host.now() + timedelta(seconds=patience))
        # A guest agent may delay libvirt's answer until after the guest is off.
        if plan.action == "stop":
            session.pending_stops[plan.uuid] = session.host.now()
            self._set_requested(True)
            self.show()
        try:
            action = BackgroundAction(
                f"{plan.action} {plan.name}", lambda error: words.hint(error, plan, connect)
            )
            await background(lambda: execute(reopen(), choice, plan, consent), action)
        except (Refused, HostError):
            session.pending_stops.pop(plan.uuid, None)
            self._set_requested(False)
            raise

    def _set_requested(self, requested: bool) -> None:
        if isinstance(self._stage, Running):
            self._stage = replace(self._stage, requested=requested)

    # --- drawing ---

    @property
    def _situation(self) -> Situation:
        session, uuid, swap = self.session, self._domain.uuid, self._swap
        live, view, now = session.live, session.live.view, session.host.now()
        off = self._action in ("stop", "force-off")
        return Situation(
            action=self._action,
            name=self._domain.name,
            domain=next((g.domain for g in view.guests if g.domain.uuid == uuid), None),
            problem=view.problem("guests"),
            asked_at=session.pending_stops.get(uuid),
            course=pages.course(swap, live.swap_times, now) if swap is not None else None,
            free_card=off and session.why_not("unbind") is None,
            at=now,
        )

    @property
    def _swap(self) -> Swap | None:
        """The swap in the journal, if this screen has begun it."""
        swap = self.session.live.view.swap
        return swap if swap is not None and swap.id == self._stage.swap_id else None

    def page(self) -> PlanPage:
        seen, host, whole = self._situation, self.session.host, self._whole
        unavailable, asks = host.control.unavailable_reason, host.mover.needs_terminal
        message, tone = stages.sentence(self._stage, seen, unavailable, asks=asks, keys=self.keys)
        state = stages.state(self._stage, seen, unavailable, asks=asks)
        page = PlanPage(
            words.title(self._action, self._domain.name), state, message, tone,
            note=stages.note(self._stage, seen), key=(self._stage.plan, whole),
            asks=stages.asked_about(self._stage), checks_key=self.keys["checks"],
            unfolded=self.unfolded,
        )  # fmt: skip
        if whole is None:
            return page
        marks = stages.step_marks(self._stage, seen, whole)
        return pages.with_guest_plan(page, whole, seen.course, marks, self.session.live.view)
