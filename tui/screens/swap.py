"""A swap: its plan, shown before anything happens; the question; then how it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar, Literal

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.background import background
from tui.commands import bindings
from tui.host import HostError
from tui.live import Live
from tui.model import Direction, Plan, Swap
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent, SwapRequest
from tui.screens import swap_words as words
from tui.screens.base import HostScreen
from tui.screens.begin import SwapFollower, begin
from tui.session import Session
from tui.swap.consent import point, shown
from tui.swap.planning import NoSuchCard, plan_once
from tui.swap.preflight import for_recovery
from widgets.lines import Tone
from widgets.swap_panel import SwapPanel, SwapPanelState

UNSEEN = object()
"""Stands for what the journal said before the screen was there."""

PLAN_S = 30.0
"""Seconds for the readings of a plan; more than any source of ours takes that answers."""


class SwapScreen(HostScreen):
    """With a ``direction`` it makes a plan and asks; without one, and whenever a swap is
    under way or was interrupted, it shows that one. It may be left at any time."""

    NAME = "swap"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "SwapPanel"

    def __init__(self, session: Session, direction: Direction | None = None) -> None:
        super().__init__(session)
        self._direction = direction
        self._way: Literal["finish", "undo"] | None = None
        self._plan: Plan | None = None
        self._refusal: str | None = None
        self._risk: Doubtful | None = None
        self._consent = Consent()
        self._beginning = False
        self._followed: set[str] = set()
        self._mark: object = UNSEEN

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield SwapPanel(self.glyphs)

    def on_mount(self) -> None:
        super().on_mount()
        gpu = self.session.live.view.guest_gpu
        if self._direction is not None and self._swap is None and gpu is not None:
            self._look(self._direction, gpu.address)

    # --- the plan ---

    def _look(self, direction: Direction, address: str) -> None:
        self.run_worker(self._make_plan(direction, address), exclusive=True)

    async def _make_plan(self, direction: Direction, address: str) -> None:
        fresh, choice = self.session.host.reopen, self.session.live.choice
        if fresh is None:
            return
        look = background(lambda: plan_once(fresh(), choice, direction, address))
        try:
            plan = await asyncio.wait_for(look, PLAN_S)
        except TimeoutError:
            self._refusal = f"the host could not be looked at within {PLAN_S:.0f} s"
        except (HostError, NoSuchCard) as error:
            self._refusal = str(error)
        except Exception as error:  # a defect of ours is told in its place
            self._refusal = words.defect(error)
        else:
            self._plan = for_recovery(plan, finish=True) if self._way else plan
        self.show()

    # --- keys ---

    def why_not(self, action: str) -> str | None:
        """Why a key of this screen does nothing now."""
        if action not in ("carry_out", "finish", "take_back", "despite"):
            return super().why_not(action)
        if self._beginning:
            return "it is being begun"
        return self._why_not_begin() if action == "carry_out" else None

    def _why_not_begin(self) -> str | None:
        swap, plan = self._swap, self._plan
        if swap is not None and not swap.interrupted:
            return "a swap is under way" if swap.under_way else "it has ended; go back with esc"
        if swap is not None and self._way is None:
            return "choose first: f finishes it, u undoes it"
        if self._way != "undo":
            if plan is None:
                return self._refusal or "the plan is not made yet"
            if plan.refusals:
                return f"refused: {plan.refusals[0].why}"
        return self._refusal or self.session.host.mover.unavailable_reason

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hides the keys that are for another moment of a swap."""
        swap, free = self._swap, self._risk is None
        interrupted = swap is not None and swap.interrupted
        chooses = interrupted and free and not self._beginning
        wanted = {
            "carry_out": free and (swap is None or interrupted),
            "despite": not free,
            "finish": chooses,
            "take_back": chooses,
        }
        return super().check_action(action, parameters) if wanted.get(action, True) else False

    def action_finish(self) -> None:
        swap = self._swap
        if swap is not None:
            self._choose("finish")
            self._look(swap.direction, swap.address)

    def action_take_back(self) -> None:
        self._choose("undo")

    def _choose(self, way: Literal["finish", "undo"]) -> None:
        self.workers.cancel_node(self)  # a plan that is being made is of no more use
        self._way, self._plan, self._refusal = way, None, None
        self.show()

    def action_carry_out(self) -> None:
        # What an ordinary user could not look at, the runner does, as root.
        doubts = self._plan.doubts if self._plan and self._way != "undo" else ()
        if doubts and not self.session.host.mover.needs_terminal:
            told = "; ".join(f"{doubt.why} ({doubt.id})" for doubt in doubts)
            self._consent = self._shown_now()
            self._risk = Doubtful(told, [point(doubt) for doubt in doubts])
            self.show()
        else:
            self._begin(self._shown_now())

    def action_despite(self) -> None:
        if self._risk is not None:
            self._begin(self._consent.and_also(self._risk.checks))

    def _shown_now(self) -> Consent:
        return shown(self._plan) if self._plan and self._way != "undo" else Consent()

    # --- carrying it out ---

    def _begin(self, consent: Consent) -> None:
        self._consent = consent
        swap, plan = self._swap, self._plan
        if self._way is not None and swap is not None:
            request = SwapRequest(self._way, swap=swap.id, consent=consent)
        elif plan is not None:
            request = SwapRequest(plan.direction, plan.address, consent=consent)
        else:
            return
        self._beginning, self._risk, self._refusal = True, None, None
        self.show()
        self.run_worker(self._launch(request))

    async def _launch(self, request: SwapRequest) -> None:
        error: Exception | None = None
        followed = SwapFollower(self.session)
        try:
            identity = await begin(self.app, self.session.host.mover, request)
            if self._way is None:
                await followed.until(identity, lambda _: True)
        except Exception as raised:  # each is told below
            error = raised
        if error is None and self._way is not None:
            # A recovery goes on with the same swap: the journal may look as it did before.
            self._beginning, self._way = False, None
        if error is not None:
            self._beginning = False
            if isinstance(error, Doubtful):
                self._risk = error
            else:
                known = isinstance(error, Refused | HostError)
                self._refusal = str(error) if known else words.defect(error)
        self.show()

    # --- drawing ---

    @property
    def _swap(self) -> Swap | None:
        """The swap that this screen shows in place of a plan."""
        swap = self.session.live.view.swap
        if swap is None or (swap.ended and self._direction and swap.id not in self._followed):
            return None
        return swap

    def draw(self, live: Live) -> None:
        self._follow()
        self.query_one(SwapPanel).show(self._shown())

    def _follow(self) -> None:
        """What was told or asked before the swap went on is of no more use."""
        swap = self.session.live.view.swap
        if swap is not None and not swap.ended:
            self._followed.add(swap.id)
        mark = swap and (swap.id, swap.state, swap.under_way)
        if self._mark is not UNSEEN and mark != self._mark:
            self._beginning, self._way, self._risk, self._refusal = False, None, None, None
            if swap is not None:
                self._followed.add(swap.id)
        self._mark = mark

    def _shown(self) -> SwapPanelState:
        swap, at = self._swap, self.session.host.now()
        say, tone = self._say(swap)
        if swap is not None:
            plan = self._plan if self._way == "finish" else None
            return SwapPanelState(words.title(swap), say, tone, plan, None if plan else swap, at)
        return SwapPanelState(self._title(), say, tone, self._plan)

    def _title(self) -> str:
        view = self.session.live.view
        gpu = view.gpu(self._plan.address) if self._plan else view.guest_gpu
        return words.heading(self._direction, gpu)

    def _say(self, swap: Swap | None) -> tuple[str, Tone]:
        if self._risk is not None:
            return words.risk(str(self._risk)), "bad"
        if self._refusal is not None:
            return self._refusal, "bad"
        if self._beginning:
            return "It begins …", "strong"
        return words.told(swap) if swap is not None and self._way is None else self._ask(swap)

    def _ask(self, swap: Swap | None) -> tuple[str, Tone]:
        mover = self.session.host.mover
        if swap is not None and self._way == "undo":
            return words.undo(swap, mover.unavailable_reason)
        if self._plan is None:
            return words.LOOKING, "dim"
        return words.question(self._plan, mover.unavailable_reason, asks=mover.needs_terminal)
