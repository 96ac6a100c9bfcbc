"""The USB screen: lists the devices, lends one to the guest, takes it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import ClassVar, Literal

from msgspec import Struct
from textual.app import ScreenStackError
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import OptionList

from tui.background import BackgroundAction, background
from tui.commands import Command, bindings
from tui.guest.usb import execute
from tui.guest.usb_plan import make_plan
from tui.host import HostError
from tui.live import Live
from tui.model import Domain, Unavailable, Usb, UsbAction, UsbPlan
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent
from tui.screens import guest_words, usb_words
from tui.screens.plan import PlanScreen
from tui.screens.swap_words import defect
from tui.screens.usb_words import Said
from tui.session import Session
from tui.swap.consent import consent_key, consent_to
from widgets.choice_list import Candidate, ChoiceList
from widgets.plan_page import PlanPage, PlanStep
from widgets.plan_panel import PlanPanel

READ_S = 2.0
"""Seconds between two readings while the list is on the screen: a mount causes no event."""


class Stage(Struct, frozen=True):
    """What the screen knows about the device under the cursor: here only the readings."""


class Asking(Stage, frozen=True):
    """The user has consented to ``plan``, and is asked whether the host can do without the
    device."""

    plan: UsbPlan
    consent: Consent
    doubt: Doubtful


class Running(Stage, frozen=True):
    """``plan`` is being carried out."""

    plan: UsbPlan


class Ended(Stage, frozen=True):
    """A plan was carried out, or failed."""

    said: Said


class DeviceList(ChoiceList):
    """The devices. Space shows more of the plan, as on every screen with a plan."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "screen.more", show=False)]

    def show_at(self, rows: Sequence[Candidate], id: str | None) -> None:
        """Draw ``rows``. The cursor stays on the row with ``id``, wherever that is now, or
        disappears: a key must not act on a device that has taken its place."""
        self.show(rows, None)
        at = next((number for number, row in enumerate(rows) if row.id == id), None)
        if at != self.highlighted:
            self.highlighted = at


class UsbScreen(PlanScreen):
    """A list, and the plan for the device under its cursor. A plan that was begun continues if you
    leave this screen; if it then fails, an event says so."""

    NAME = "usb"
    CSS_PATH = "usb.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "#usb"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._port: str | None = None
        self._stage = Stage()

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield DeviceList("USB devices", id="usb", glyphs=self.glyphs)
            yield PlanPanel(self.glyphs, "guest")

    def on_mount(self) -> None:
        self.session.poke("usb")
        self.set_interval(READ_S, self._read)

    def _read(self) -> None:
        if self.is_current:
            self.session.poke("usb")

    # --- what is under the cursor ---

    @property
    def _devices(self) -> tuple[Usb, ...]:
        view = self.session.live.view
        return (*(view.usb or ()), *view.usb_away)

    @property
    def _usb(self) -> Usb | None:
        return next((each for each in self._devices if each.device.port == self._port), None)

    @property
    def _domain(self) -> Domain | None:
        """The guest that has the device, else the one to lend it to."""
        usb, view = self._usb, self.session.live.view
        owners = (g.domain for g in view.guests if usb and g.domain.uuid == usb.guest_uuid)
        return next(owners, view.guest.domain if view.guest else None)

    @property
    def _plan(self) -> UsbPlan | None:
        """The plan for the device, from the last readings. To execute it, new ones are taken."""
        usb, domain, snapshot = self._usb, self._domain, self.session.live.snapshot
        if usb is None or domain is None or isinstance(snapshot.usb, Unavailable):
            return None
        action: UsbAction = "return" if usb.guest_uuid is not None else "lend"
        return make_plan(action, usb.device, domain, snapshot.usb, snapshot.guests)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index == self.query_one(DeviceList).highlighted:  # it may have moved on
            self.show()

    def _follow_cursor(self) -> None:
        """Select the device under the cursor, which may have moved since the last drawing. An
        unplugged device stays selected until the cursor moves."""
        port = self.query_one(DeviceList).under_cursor
        if port is None or port == self._port:
            return
        if not isinstance(self._stage, Running):
            self._stage = Stage()
        self._port = port

    async def on_choice_list_chosen(self) -> None:
        """Do what the key of the plan does, or say why not."""
        await self.app.run_action("screen.carry_out")

    # --- keys ---

    def why_not(self, action: str) -> str | None:
        if action not in ("carry_out", "despite"):
            return super().why_not(action)
        if isinstance(self._stage, Running):
            return "it is under way"
        if action == "carry_out" and isinstance(self._stage, Asking):
            return f"it needs {self.keys['despite']}, because the host uses the device"
        plan = self._plan
        if plan is None:
            return usb_words.nothing(self._usb, self.session.live.view, self.keys)
        if plan.refusals:
            return usb_words.refusal(plan)
        return self.session.host.control.unavailable_reason or self.why_unseen(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the one of the two confirming keys that does not apply."""
        asking = isinstance(self._stage, Asking)
        if action == ("carry_out" if asking else "despite"):
            return False
        return super().check_action(action, parameters)

    def word(self, command: Command) -> str:
        if command.id == "carry-out":
            plan = self._plan
            return "take back" if plan is not None and plan.action == "return" else "lend"
        return super().word(command)

    def action_carry_out(self) -> None:
        plan = self._plan
        if plan is None:
            return
        consent = consent_to(plan)
        if plan.doubts:
            text = "; ".join(f"{doubt.why} ({doubt.id})" for doubt in plan.doubts)
            doubt = Doubtful(text, [consent_key(each) for each in plan.doubts])
            self._go_to(Asking(plan, consent, doubt))
        else:
            self._begin(plan, consent)

    def action_despite(self) -> None:
        stage = self._stage
        if isinstance(stage, Asking):
            self._begin(stage.plan, stage.consent.and_also(stage.doubt.checks))

    def step_back(self) -> bool:
        """Close the question first."""
        if not isinstance(self._stage, Asking):
            return super().step_back()
        self._go_to(Stage())
        return True

    def _go_to(self, stage: Stage) -> None:
        self._stage = stage
        self.show()

    # --- carrying it out ---

    def _begin(self, plan: UsbPlan, consent: Consent) -> None:
        self._go_to(Running(plan))
        # A worker of the application, so that it continues without this screen.
        self.app.run_worker(self._carry_out(plan, consent))

    async def _carry_out(self, plan: UsbPlan, consent: Consent) -> None:
        session = self.session
        reopen, choice = session.host.reopen, session.live.choice
        if reopen is None:
            return
        action = BackgroundAction(f"{plan.action} {plan.device.name}")
        try:
            async with session.lendings.turn:
                session.lendings.expect_change(plan.uuid)
                await background(lambda: execute(reopen(), choice, plan, consent), action)
        except (Refused, HostError) as error:
            said: Said = f"{error}.", "bad"
        except Exception as error:  # a bug of ours, reported where the outcome would be
            said = defect(error), "bad"
        else:
            said = usb_words.done(plan), "good"
        session.poke("usb", "guests")
        self._stage = Ended(said)
        with suppress(ScreenStackError):  # the application may have ended in the meantime
            if self in self.app.screen_stack:
                self.show()
            elif said[1] == "bad":
                session.lendings.note(plan.device, said[0])

    # --- drawing ---

    def draw(self, live: Live) -> None:
        if self._port is None and self._devices:
            self._port = self._devices[0].device.port
        self._follow_cursor()
        rows = [usb_words.candidate(each) for each in self._devices]
        self.query_one(DeviceList).show_at(rows, self._port)
        super().draw(live)

    def page(self) -> PlanPage:
        plan, stage = self._plan, self._stage
        unavailable = self.session.host.control.unavailable_reason
        if isinstance(stage, Running | Asking):
            plan = stage.plan
        if plan is None:
            message = usb_words.nothing(self._usb, self.session.live.view, self.keys)
            return PlanPage(("USB", ""), usb_words.NOTHING, f"{message}.")
        running = isinstance(stage, Running)
        message, tone = usb_words.question(plan, unavailable, self.keys)
        if isinstance(stage, Asking):
            message, tone = guest_words.risk(str(stage.doubt), self.keys)
        elif isinstance(stage, Running):
            message, tone = usb_words.RUNNING[plan.action].format(plan.name), "strong"
        elif isinstance(stage, Ended):
            message, tone = stage.said
        asks: Literal["plan", "message"] = "message" if isinstance(stage, Asking) else "plan"
        may_agree = not (running or plan.refusals or unavailable)
        return PlanPage(
            usb_words.title(plan), usb_words.state(plan, unavailable, running=running),
            message, tone,
            key=plan.identity, asks=asks if may_agree else None, checks=plan.checks,
            steps=tuple(PlanStep(text) for text in plan.texts),
            checks_key=self.keys["checks"], unfolded=self.unfolded,
        )  # fmt: skip
