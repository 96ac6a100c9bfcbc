"""A swap: its plan before anything happens, the question, then its progress in the journal."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from msgspec.structs import replace
from textual.binding import BindingType

from tui.background import background
from tui.commands import Command, bindings
from tui.host import HostError
from tui.model import Direction, Gpu, Plan, Swap
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent, SwapRequest
from tui.screens import plan_pages as pages
from tui.screens import swap_stages as stages
from tui.screens import swap_words as words
from tui.screens.base import CHECK_S, open_screen
from tui.screens.begin import SwapFollower, begin
from tui.screens.plan import PlanScreen
from tui.screens.swap_stages import Asking, Beginning, Failed, Planning, Shown, Stage
from tui.session import Session
from tui.swap.consent import consent_key
from tui.swap.planning import NoSuchCard, plan_once
from tui.swap.preflight import for_recovery
from widgets.plan_page import PlanPage

NOT_READ = object()
"""Stands for the state of the journal before the first drawing of the screen."""

TICK_S = 1.0
"""Seconds between two drawings of a swap in progress."""


class SwapScreen(PlanScreen):
    """With a ``direction``, it makes a plan and asks. Without one, and whenever a swap is in
    progress or was interrupted, it shows that swap. Leaving the screen stops nothing."""

    NAME = "swap"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]

    def __init__(self, session: Session, direction: Direction | None = None) -> None:
        super().__init__(session)
        self._direction = direction
        self._stage: Stage = Planning()
        self._seen_swaps: set[str] = set()
        """The swaps that were in progress, or changed, while this screen was open."""
        self._own: set[str] = set()
        """The ids of the swap begun here with the plan on the screen."""
        self._journal_state: object = NOT_READ

    def on_mount(self) -> None:
        self.set_interval(TICK_S, self._tick)
        gpu = self.session.live.view.guest_gpu
        if self._direction is not None and self._swap is None and gpu is not None:
            self._start_planning(self._direction, gpu.address)

    def _tick(self) -> None:
        if self._swap is not None and self._swap.under_way:
            self.show()

    # --- the plan ---

    def _start_planning(self, direction: Direction, address: str) -> None:
        self.run_worker(self._make_plan(direction, address), exclusive=True)

    async def _make_plan(self, direction: Direction, address: str) -> None:
        reopen, choice = self.session.host.reopen, self.session.live.choice
        if reopen is None:
            return
        planning = background(lambda: plan_once(reopen(), choice, direction, address))
        try:
            plan = await asyncio.wait_for(planning, CHECK_S)
        except TimeoutError:
            self._fail(f"the host could not be checked within {CHECK_S:.0f} s")
        except (HostError, NoSuchCard) as error:
            self._fail(str(error))
        except Exception as error:  # a bug of ours, reported where the plan would be
            self._fail(words.defect(error))
        else:
            recovery = self._stage.recovery
            plan = for_recovery(plan, finish=True) if recovery else plan
            self._go_to(Shown(recovery=recovery, plan=plan))

    def _go_to(self, stage: Stage) -> None:
        self._stage = stage
        self.show()

    def _fail(self, why: str) -> None:
        self._go_to(Failed(recovery=self._stage.recovery, plan=self._stage.plan, why=why))

    # --- keys ---

    def why_not(self, action: str) -> str | None:
        swap = self._swap
        if action in stages.visible_keys(self._stage, swap):
            if action == "start_guest":
                return self.session.why_not("start")
            mover = self.session.host.mover
            return stages.why_not(action, self._stage, swap, mover) or self.why_unseen(action)
        return super().why_not(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that do nothing at this stage."""
        visible = stages.visible_keys(self._stage, self._swap).get(action, True)
        return super().check_action(action, parameters) if visible else False

    def word(self, command: Command) -> str:
        """What a key does at this stage."""
        return stages.word(command.id, self._stage, self._situation) or super().word(command)

    def action_start_guest(self) -> None:
        guest = self.session.live.view.guest
        if guest is not None:
            from tui.screens.guest import GuestScreen  # noqa: PLC0415 (it imports this module)

            open_screen(self.app, GuestScreen(self.session, "start", guest.domain))

    def action_finish(self) -> None:
        swap = self._swap
        if swap is not None:
            self._recover(Planning(recovery="finish"))
            self._start_planning(swap.direction, swap.address)

    def action_take_back(self) -> None:
        self._recover(Shown(recovery="undo"))

    def _recover(self, stage: Stage) -> None:
        self.workers.cancel_node(self)  # a plan being made for another choice
        self._go_to(stage)

    def action_carry_out(self) -> None:
        stage = self._stage
        if not isinstance(stage, Shown):
            return
        # The runner asks about what only root can check.
        doubts = stage.plan.doubts if stage.plan and stage.recovery != "undo" else ()
        if doubts and not self.session.host.mover.needs_terminal:
            text = "; ".join(f"{doubt.why} ({doubt.id})" for doubt in doubts)
            doubt = Doubtful(text, [consent_key(doubt) for doubt in doubts])
            self._ask(stage.consent, doubt)
        else:
            self._begin(stage.consent)

    def _ask(self, consent: Consent, doubt: Doubtful) -> None:
        stage = self._stage
        self._go_to(Asking(recovery=stage.recovery, plan=stage.plan, consent=consent, doubt=doubt))

    def action_despite(self) -> None:
        if isinstance(self._stage, Asking):
            self._begin(self._stage.consent.and_also(self._stage.doubt.checks))

    # --- carrying it out ---

    def _begin(self, consent: Consent) -> None:
        swap, plan, recovery = self._swap, self._stage.plan, self._stage.recovery
        if recovery is not None and swap is not None:
            request = SwapRequest(recovery, swap=swap.id, consent=consent)
        elif plan is not None:
            request = SwapRequest(plan.direction, plan.address, consent=consent)
        else:
            return
        self._own = {request.identity}
        self._go_to(Beginning(recovery=recovery, plan=plan, consent=consent))
        self.run_worker(self._launch(request))

    async def _launch(self, request: SwapRequest) -> None:
        follower = SwapFollower(self.session)
        try:
            identity = await begin(self.app, self.session.host.mover, request)
            self._own.add(identity)
            if self._stage.recovery is None:
                await follower.until(identity, lambda _: True)
            else:
                # A recovery continues the same swap: the journal may look as it did before.
                self._stage = stages.at_rest(self._stage)
        except Doubtful as doubt:
            self._ask(request.consent, doubt)
        except (Refused, HostError) as error:
            self._fail(str(error))
        except Exception as error:  # a bug of ours, reported where the answer would be
            self._fail(words.defect(error))
        else:
            self.show()

    # --- drawing ---

    @property
    def _swap(self) -> Swap | None:
        """The swap in the journal, if this screen shows it instead of a plan."""
        swap = self.session.live.view.swap
        if swap is None or (swap.ended and self._direction and swap.id not in self._seen_swaps):
            return None
        return swap

    def _follow_journal(self) -> None:
        swap = self.session.live.view.swap
        if swap is not None and not swap.ended:
            self._seen_swaps.add(swap.id)
        state = swap and (swap.id, swap.state, swap.under_way)
        if self._journal_state is not NOT_READ and state != self._journal_state:
            if swap is not None:
                self._seen_swaps.add(swap.id)
            self._stage = stages.at_rest(self._stage)
        self._journal_state = state

    @property
    def _situation(self) -> stages.Situation:
        swap, live, host = self._swap, self.session.live, self.session.host
        plan = self._plan_shown(swap)
        direction, gpu = self._subject(swap, plan)
        return stages.Situation(
            course=pages.course(swap, live.swap_times, host.now()) if swap is not None else None,
            mover=host.mover,
            direction=direction,
            guest=live.view.guest.domain.name if live.view.guest else None,
            usual_s=live.swap_times.usual_s(direction, gpu.address) if direction and gpu else None,
            keys=self.keys,
        )

    def _subject(self, swap: Swap | None, plan: Plan | None) -> tuple[Direction | None, Gpu | None]:
        """The direction of the swap, and its card."""
        view, shown = self.session.live.view, plan or swap
        if shown is None:
            return self._direction, view.guest_gpu
        return shown.direction, view.gpu(shown.address)

    def page(self) -> PlanPage:
        self._follow_journal()
        swap, stage, seen = self._swap, self._stage, self._situation
        plan = self._plan_shown(swap)
        direction, gpu = self._subject(swap, plan)
        message, tone = stages.sentence(stage, seen)
        address = swap.address if swap is not None else None
        title = words.title(direction, gpu, address, stage.recovery)
        page = PlanPage(
            title, stages.state(stage, seen), message, tone,
            note=stages.note(stage, swap), key=(plan, stage.recovery, swap and swap.id),
            asks=stages.asks(stage, swap), checks_key=self.keys["checks"], unfolded=self.unfolded,
        )  # fmt: skip
        if direction is None:
            return page
        view = self.session.live.view
        course = None if self._is_planned(plan) else seen.course
        page = pages.with_swap(page, direction, plan, course, view)
        if swap is not None and stage.recovery == "undo":
            back = pages.undo_movers(swap, view.functions)
            page = replace(page, movers=back, label="So far")
        return page

    def _plan_shown(self, swap: Swap | None) -> Plan | None:
        """The plan for what the screen shows; ``None`` if somebody else began the swap."""
        stage = self._stage
        if stage.recovery == "undo":
            return None
        ours = swap is None or stage.recovery == "finish" or swap.id in self._own
        return stage.plan if ours else None

    def _is_planned(self, plan: Plan | None) -> bool:
        """Whether the plan is shown as one that can still be carried out."""
        return plan is not None and (self._swap is None or self._stage.recovery == "finish")
