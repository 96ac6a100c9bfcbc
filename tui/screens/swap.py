"""A swap: its plan, shown before anything happens; the question; then how it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.background import background
from tui.commands import bindings
from tui.host import HostError
from tui.live import Live
from tui.model import Direction, Plan, Swap
from tui.once import NoSuchCard, plan_once
from tui.rules.deeds import guest_gpu
from tui.screens.base import HostScreen
from tui.swap.launch import Doubtful, Refused
from widgets.figures import model_name, short
from widgets.lines import Tone
from widgets.swap_panel import Shown, SwapPanel

LOOKING = "Looks at the host: who uses the card, which guests run, what the kernel allows …"
HANGS = "a card that is in use may hang until the host is rebooted"


class SwapScreen(HostScreen):
    """With a ``direction`` it makes a plan and asks; without one, and whenever a swap is
    under way or was interrupted, it shows that one. It may be left at any time."""

    NAME = "swap"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "SwapPanel"

    def __init__(self, direction: Direction | None = None) -> None:
        super().__init__()
        self._direction = direction
        self._plan: Plan | None = None
        self._refusal: str | None = None
        self._risk: tuple[str, list[str]] | None = None
        self._busy = False
        self._begun: str | None = None

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield SwapPanel(self.vfiotop.glyphs)

    def on_mount(self) -> None:
        super().on_mount()
        if self._direction is not None and self._swap is None:
            self.run_worker(self._make_plan(self._direction), exit_on_error=False)

    # --- the plan ---

    async def _make_plan(self, direction: Direction) -> None:
        host, live = self.vfiotop.host, self.vfiotop.live
        gpu = guest_gpu(live.view)
        if gpu is None or host.again is None:
            return
        fresh, choice, address = host.again, live.choice, gpu.address
        try:
            self._plan = await background(lambda: plan_once(fresh(), choice, direction, address))
        except (HostError, NoSuchCard) as error:
            self._refusal = str(error)
        self.show()

    # --- keys ---

    def why_not(self, action: str) -> str | None:
        """Why a key of this screen does nothing now."""
        if action not in ("carry_out", "finish", "take_back", "despite"):
            return super().why_not(action)
        if self._busy:
            return "it is being begun"
        if action == "carry_out":
            return self._why_not_begin()
        return self.vfiotop.host.mover.forbidden

    def _why_not_begin(self) -> str | None:
        swap = self._swap
        if swap is not None:
            return "a swap is under way" if swap.under_way else "it has ended; go back with esc"
        if self._plan is None:
            return self._refusal or "the plan is not made yet"
        if self._plan.refusals:
            return f"refused: {self._plan.refusals[0].why}"
        return self._refusal or self.vfiotop.host.mover.forbidden

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hides the keys that are for another moment of a swap."""
        swap = self._swap
        interrupted = swap is not None and swap.interrupted
        wanted = {
            "carry_out": self._direction is not None and swap is None and self._risk is None,
            "despite": self._risk is not None,
            "finish": interrupted and self._risk is None,
            "take_back": interrupted and self._risk is None,
        }
        if not wanted.get(action, True):
            return False
        return super().check_action(action, parameters)

    def action_carry_out(self) -> None:
        plan = self._plan
        if plan is None:
            return
        request: list[str] = [plan.direction, plan.address]
        # What an ordinary user could not look at, the runner does, as root.
        if plan.doubts and not self.vfiotop.host.mover.asks:
            self._ask(plan.doubts[0].why, request)
        else:
            self._begin(request)

    def action_finish(self) -> None:
        self._begin(["recover", "--finish"])

    def action_take_back(self) -> None:
        self._begin(["recover", "--undo"])

    def action_despite(self) -> None:
        if self._risk is not None:
            _, request = self._risk
            self._begin([*request, "--despite-doubts"])

    def _ask(self, why: str, request: list[str]) -> None:
        self._risk = (why, request)
        self.show()

    # --- carrying it out ---

    def _begin(self, request: list[str]) -> None:
        self._busy, self._risk, self._refusal = True, None, None
        self.show()
        self.run_worker(self._launch(request), exit_on_error=False)

    async def _launch(self, request: Sequence[str]) -> None:
        mover = self.vfiotop.host.mover
        try:
            if mover.asks:
                # The terminal is the tool's while it asks; nothing else could be done on it.
                with self.app.suspend():
                    self._begun = mover.begin(request)
            else:
                self._begun = await background(lambda: mover.begin(request))
        except Doubtful as error:
            self._ask(str(error), list(request))
        except (Refused, HostError) as error:
            self._refusal = str(error)
        finally:
            self._busy = False
            self.show()

    # --- drawing ---

    @property
    def _swap(self) -> Swap | None:
        """The swap that this screen shows in place of a plan."""
        swap = self.vfiotop.live.view.swap
        if swap is None or (swap.ended and swap.id != self._begun and self._direction):
            return None
        return swap

    def draw(self, live: Live) -> None:
        self.query_one(SwapPanel).show(self._shown())

    def _shown(self) -> Shown:
        swap = self._swap
        if swap is not None and self._risk is None and self._refusal is None:
            say, tone = told(swap)
            return Shown(swap_title(swap), say, tone, swap=swap, at=self.vfiotop.host.now())
        say, tone = self._say()
        return Shown(self._title(), say, tone, plan=self._plan, swap=swap)

    def _title(self) -> str:
        gpu = guest_gpu(self.vfiotop.live.view)
        deed = (self._direction or "recover").capitalize()
        return f"{deed} {short(gpu.address)} · {model_name(gpu.name)}" if gpu else deed

    def _say(self) -> tuple[str, Tone]:
        plan = self._plan
        if self._risk is not None:
            return f"Risk: {self._risk[0]}: {HANGS}. Y goes on all the same, esc does not.", "bad"
        if self._refusal is not None:
            return self._refusal, "bad"
        if self._busy:
            return "It begins …", "strong"
        if plan is None:
            return LOOKING, "dim"
        if plan.refusals:
            first = plan.refusals[0]
            return f"Refused: {first.why} ({first.id}).", "bad"
        return self._question(plan)

    def _question(self, plan: Plan) -> tuple[str, Tone]:
        forbidden = self.vfiotop.host.mover.forbidden
        if forbidden is not None:
            return f"This is what would be done. {forbidden.capitalize()}.", "strong"
        where = "to vfio-pci" if plan.direction == "bind" else "back to the host"
        if plan.doubts and not self.vfiotop.host.mover.asks:
            return f"Not known whether it is safe: {plan.doubts[0].why}. y asks once more.", "warn"
        return (
            f"y moves {' '.join(map(short, plan.moves))} {where}. Nothing was touched yet.",
            "strong",
        )


def swap_title(swap: Swap) -> str:
    """The swap in the panel's title."""
    return f"{swap.direction.capitalize()} {short(swap.address)} · {_state(swap)}"


def _state(swap: Swap) -> str:
    if swap.interrupted:
        return "interrupted"
    return "stuck" if swap.stuck else {"prepared": "begins", "undoing": "is undone"}.get(
        swap.state, swap.state
    )  # fmt: skip


def told(swap: Swap) -> tuple[str, Tone]:
    """What a swap does now, and what the user may do."""
    why = f" {swap.message}." if swap.message else ""
    if swap.interrupted:
        return f"It was interrupted and goes on no more.{why} f finishes it, u undoes it.", "bad"
    if swap.stuck:
        since = f"{swap.step_began_at.astimezone():%H:%M:%S}"
        return (
            f"Stuck since {since}:{why or ' the kernel does not return.'} Nothing more is "
            "written; it goes on by itself when the kernel is done.", "bad",
        )  # fmt: skip
    if swap.state == "done":
        seconds = (swap.step_began_at - swap.began_at).total_seconds()
        where = "for a guest" if swap.direction == "bind" else "with the host"
        return f"Done after {seconds:.1f} s: the card is {where}.", "good"
    if swap.state == "undone":
        return f"Undone, the card is as it was:{why or ' as asked.'}", "warn"
    if swap.state == "undoing":
        return f"It is being undone:{why}", "warn"
    return "It goes on also when this screen is left or the connection drops.", "strong"
