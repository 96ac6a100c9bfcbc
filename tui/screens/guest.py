"""What is done to the guest: its plan, the question, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from textual.app import ScreenStackError
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.background import BackgroundAction, background
from tui.commands import bindings
from tui.guest.execute import carry_out
from tui.guest.plan import STOP_S, own_doubts
from tui.guest.planning import guest_plan_once
from tui.host import HostError, Unsettled
from tui.live import Live
from tui.model import Domain, GuestAction, GuestPlan, Plan, Swap
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent, SwapRequest
from tui.rules import guest_checks
from tui.screens import guest_words as words
from tui.screens import swap_words
from tui.screens.base import HostScreen, open_screen
from tui.screens.begin import SwapFollower, SwapLost, begin
from tui.screens.swap import PLAN_S, SwapScreen
from tui.session import Session
from tui.swap.consent import point, shown
from widgets.lines import Tone
from widgets.swap_panel import SwapPanel, SwapPanelState

DONE_S = 10.0
"""Seconds in which what a domain does is what was asked of it."""

TICK_S = 1.0
"""Seconds between two drawings of a countdown."""


class GuestScreen(HostScreen):
    """Makes the plan of an action on a guest and asks. It may be left at any time: what was
    begun goes on, and where it fails the application tells."""

    NAME = "guest"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "SwapPanel"

    def __init__(self, session: Session, action: GuestAction, domain: Domain) -> None:
        super().__init__(session)
        self._action = action
        self._domain = domain
        self._plan: GuestPlan | None = None
        self._refusal: str | None = None
        self._risk: Doubtful | None = None
        self._consent = Consent()
        self._swap_id: str | None = None
        self._beginning = False
        self._asked = False
        self._left = False
        """Whether it was left half way, or may be: then it is offered to go on or to end it."""

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield SwapPanel(self.glyphs)

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(TICK_S, self._tick)
        if self._action == "stop" and self._domain.uuid in self.session.pending_stops:
            self._asked = True
            self.show()
        else:
            self._look()

    def _tick(self) -> None:
        if self._counting:
            self.show()

    # --- the plan ---

    def _look(self) -> None:
        self.run_worker(self._make_plan(), exclusive=True)

    async def _make_plan(self) -> None:
        again, choice = self.session.host.reopen, self.session.live.choice
        if again is None:
            return
        action, uuid = self._action, self._domain.uuid
        look = background(lambda: guest_plan_once(again(), choice, action, uuid=uuid)[0])
        try:
            self._plan = await asyncio.wait_for(look, PLAN_S)
        except TimeoutError:
            self._refusal = f"the host could not be looked at within {PLAN_S:.0f} s"
        except HostError as error:
            self._refusal = str(error)
        except Exception as error:  # a defect of ours is told in its place
            self._refusal = swap_words.defect(error)
        self.show()

    # --- keys ---

    def why_not(self, action: str) -> str | None:
        """Why a key of this screen does nothing now."""
        if action == "carry_out":
            return self._why_not_begin()
        if action == "force" and not self._left and not self._overdue:
            return "it was not asked to shut down yet, or has time left for it"
        if action == "resume":
            problem = self.session.live.view.problem("guests")
            return problem or guest_checks.why_not(self._now or self._domain, "resume")
        if action == "give_back":
            return self.session.why_not("unbind")
        return super().why_not(action)

    def _why_not_begin(self) -> str | None:
        if self._beginning:
            return "it is being done"
        if self._plan is None:
            return self._refusal or "the plan is not made yet"
        if self._plan.refusals:
            return f"refused: {self._plan.refusals[0].why}"
        return self._refusal or self.session.host.control.unavailable_reason

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hides the keys that are for another moment."""
        wanted = {
            "carry_out": self._risk is None and not self._asked and not self._left,
            "despite": self._risk is not None,
            "force": self._left or (self._action == "stop" and self._asked and not self._ended),
            "resume": self._left,
            "give_back": self._ended and self._free_card,
        }
        return super().check_action(action, parameters) if wanted.get(action, True) else False

    def action_carry_out(self) -> None:
        plan = self._plan
        if plan is None:
            return
        self._consent = shown(plan)
        doubts = own_doubts(plan, asks=self.session.host.mover.needs_terminal)
        if doubts:
            told = "; ".join(f"{doubt.why} ({doubt.id})" for doubt in doubts)
            self._risk = Doubtful(told, [point(doubt) for doubt in doubts])
            self.show()
        else:
            self._begin()

    def action_despite(self) -> None:
        if self._risk is not None:
            self._consent = self._consent.and_also(self._risk.checks)
            self._risk = None
            self._begin()

    def action_force(self) -> None:
        # Another screen: a stop that libvirt has not answered yet goes on beside it.
        open_screen(self.app, GuestScreen(self.session, "force-off", self._domain))

    def action_resume(self) -> None:
        open_screen(self.app, GuestScreen(self.session, "resume", self._domain))

    def action_give_back(self) -> None:
        open_screen(self.app, SwapScreen(self.session, "unbind"))

    # --- carrying it out ---

    def _begin(self) -> None:
        self._beginning, self._refusal = True, None
        self.show()
        # The application's, and not this screen's: it goes on when the screen is left.
        self.app.run_worker(self._carry_out())

    async def _carry_out(self) -> None:
        plan = self._plan
        if plan is None:
            return
        try:
            if plan.swap is not None:
                await self._bind(plan, plan.swap)
                # Should the start be asked for once more, the card is where it has to be.
                self._plan = plan = replace(plan, swap=None)
            await self._done(plan)
        except Doubtful as error:
            self._risk = error
        except Unsettled as error:
            self._left = error.state == "paused" or plan.action in words.MAY_PAUSE
            self._refusal = words.unsettled(error, keys=self._left)
        except (Refused, HostError) as error:
            self._refusal = str(error)
        except Exception as error:  # a defect of ours is told in its place
            self._refusal = swap_words.defect(error)
        self._beginning = False
        with suppress(ScreenStackError):  # the application may have ended meanwhile
            if self in self.app.screen_stack:
                self.show()
            elif self._refusal or self._risk:
                text = f"{plan.name}: {self._refusal or self._risk}"
                self.app.notify(text, severity="error", markup=False)

    async def _bind(self, plan: GuestPlan, swap_plan: Plan) -> None:
        """The swap that comes first, followed to its end in the journal."""
        consent = shown(swap_plan).and_also(self._consent.accepted)
        request = SwapRequest(swap_plan.direction, swap_plan.address, consent=consent)
        followed = SwapFollower(self.session)
        self._swap_id = await begin(self.app, self.session.host.mover, request)
        self.show()
        try:
            swap = await followed.until(self._swap_id, lambda swap: not swap.under_way)
        except SwapLost as error:
            raise Refused(f"{error}; {plan.name} was not started") from error
        if swap.state != "done":
            came_to = "was undone" if swap.state == "undone" else "did not come to its end"
            why = f": {swap.message}" if swap.message else ""
            raise Refused(f"the bind {came_to}{why}; {plan.name} was not started")

    async def _done(self, plan: GuestPlan) -> None:
        again, choice, consent = self.session.host.reopen, self.session.live.choice, self._consent
        if again is None:
            return
        patience = STOP_S if plan.action == "stop" else DONE_S
        self.session.live.expect_change(
            plan.uuid, self.session.host.now() + timedelta(seconds=patience)
        )
        # A stop may be heard of before libvirt has answered, and an agent may let it wait.
        if plan.action == "stop":
            self.session.pending_stops[plan.uuid] = self.session.host.now()
            self._asked = True
            self.show()
        try:
            at = self.session.config.connect
            deed = BackgroundAction(
                f"{plan.action} {plan.name}", lambda error: words.hint(error, plan, at)
            )
            await background(lambda: carry_out(again(), choice, plan, consent), deed)
        except (Refused, HostError):
            self.session.pending_stops.pop(plan.uuid, None)
            self._asked = False
            raise
        self._asked = True

    # --- drawing ---

    @property
    def _now(self) -> Domain | None:
        """The domain as it is, ``None`` where it is gone."""
        guests = self.session.live.view.guests
        return next((g.domain for g in guests if g.domain.uuid == self._domain.uuid), None)

    @property
    def _swap(self) -> Swap | None:
        """The swap that this screen has begun."""
        swap = self.session.live.view.swap
        return swap if swap is not None and swap.id == self._swap_id else None

    @property
    def _ended(self) -> bool:
        domain = self._now
        if self.session.live.view.problem("guests") is not None:
            return False  # a guest that cannot be seen has not ended
        return self._asked and (domain is None or domain.state in words.ENDS[self._action])

    @property
    def _counting(self) -> bool:
        return self._action == "stop" and self._asked and not self._ended

    @property
    def _overdue(self) -> bool:
        asked_at = self.session.pending_stops.get(self._domain.uuid)
        if asked_at is None or not self._counting:
            return False
        return (self.session.host.now() - asked_at).total_seconds() >= STOP_S

    @property
    def _free_card(self) -> bool:
        """Whether the guest's card could be given back."""
        off = self._action in ("stop", "force-off")
        return off and self.session.why_not("unbind") is None

    def draw(self, live: Live) -> None:
        say, tone = self._say()
        title = words.title(self._action, self._domain.name)
        swap = self._swap if self._beginning or (self._swap and self._swap.under_way) else None
        plan = None if swap or self._asked else self._plan
        self.query_one(SwapPanel).show(
            SwapPanelState(title, say, tone, plan, swap, self.session.host.now())
        )

    def _say(self) -> tuple[str, Tone]:
        if self._risk is not None:
            return words.risk(str(self._risk)), "bad"
        if self._refusal is not None:
            return self._refusal, "bad"
        if self._beginning or self._asked:
            return self._going_on()
        if self._plan is None:
            return words.LOOKING, "dim"
        host = self.session.host
        return words.question(
            self._plan, host.control.unavailable_reason, asks=host.mover.needs_terminal
        )

    def _going_on(self) -> tuple[str, Tone]:
        name, at = self._domain.name, self.session.host.now()
        if self._ended:
            text, tone = words.ended(self._action, name, self._now)
            return text + (words.GIVE_BACK if self._free_card else ""), tone
        asked_at = self.session.pending_stops.get(self._domain.uuid)
        if self._counting and asked_at is not None:
            return words.countdown(name, asked_at, at, self.session.live.view.problem("guests"))
        if self._swap is not None and self._swap.under_way:
            return f"Its card is bound first; then {name} is started.", "strong"
        return f"{name} {words.UNDER_WAY[self._action]} …", "strong"
