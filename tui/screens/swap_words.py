"""The sentences of a swap's screen."""

from __future__ import annotations

from tui.model import CLOCK, Direction, Gpu, Plan, Swap
from tui.swap.consent import HANGS
from widgets.figures import model_name, short
from widgets.lines import Tone

CHECKING = "Checking the host …"


def heading(direction: Direction | None, gpu: Gpu | None) -> str:
    """The title before a swap has begun."""
    action = (direction or "swap").capitalize()
    return f"{action} {short(gpu.address)} · {model_name(gpu.name)}" if gpu else action


def title(swap: Swap) -> str:
    """The title of a swap."""
    state = {"prepared": "begins", "undoing": "is undone"}.get(swap.state, swap.state)
    state = "interrupted" if swap.interrupted else "stuck" if swap.stuck else state
    return f"{swap.direction.capitalize()} {short(swap.address)} · {state}"


def question(plan: Plan, unavailable: str | None, *, asks: bool) -> tuple[str, Tone]:
    """Whether the plan may be carried out, and the key for it.

    ``unavailable`` is why no card can be moved at all; ``asks``: the runner asks about doubts
    that only root can settle.
    """
    if plan.refusals:
        first = plan.refusals[0]
        return f"Refused: {first.why} ({first.id}).", "bad"
    if unavailable is not None:
        return f"This is what would be done. {unavailable.capitalize()}.", "strong"
    where = "to vfio-pci" if plan.direction == "bind" else "back to the host"
    if plan.doubts and not asks:
        return f"Cannot tell whether it is safe: {plan.doubts[0].why}. y asks once more.", "warn"
    functions = " ".join(map(short, plan.moves))
    return f"y moves {functions} {where}. Nothing has been touched yet.", "strong"


def undo(swap: Swap, unavailable: str | None) -> tuple[str, Tone]:
    """The question before an undo, which replays what was recorded and has no plan."""
    if unavailable is not None:
        return f"This is what would be undone. {unavailable.capitalize()}.", "strong"
    functions = " ".join(map(short, swap.moves))
    return f"y restores {functions} to what they had before this {swap.direction}.", "strong"


def risk(doubt: str) -> str:
    """The second question."""
    return f"Risk: {doubt}: {HANGS}. Y continues anyway, esc goes back."


def defect(error: Exception) -> str:
    """A defect of ours."""
    return f"vfiotop failed here ({error!r}); please report it"


def progress(swap: Swap) -> tuple[str, Tone]:
    """What a swap is doing, or how it ended, and what the user can do."""
    why = f" {swap.message}." if swap.message else ""
    if swap.interrupted:
        return f"It was interrupted and has stopped.{why} f finishes it, u undoes it.", "bad"
    if swap.stuck:
        since = CLOCK.time_of_day(swap.step_began_at)
        what = why or " the kernel does not return."
        rest = "Nothing more is written; it continues when the kernel returns."
        return f"Stuck since {since}:{what} {rest}", "bad"
    if swap.state == "done":
        seconds = (swap.step_began_at - swap.began_at).total_seconds()
        where = "ready for a guest" if swap.direction == "bind" else "back with the host"
        return f"Done after {seconds:.1f} s: the card is {where}.", "good"
    if swap.state == "undone":
        return f"Undone, the card is in its previous state:{why or ' as asked.'}", "warn"
    if swap.state == "undoing":
        return f"Undoing the swap:{why}", "warn"
    return "It continues if you leave this screen or lose the connection.", "strong"
