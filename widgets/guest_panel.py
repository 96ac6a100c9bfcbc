"""The allowed guest: how it runs, or what keeps it from starting; and the other domains."""

from __future__ import annotations

from textual.geometry import Size

from tui.model import NOT_READ_YET, Domain
from widgets.footer import Hint, hint_line
from widgets.glyphs import RICH, Glyphs
from widgets.graph_grid import GraphLines, Times
from widgets.graph_panel import GraphPanel
from widgets.guest import (
    GuestState,
    agent_line,
    guest_keys,
    is_off,
    short_uptime,
    state_span,
)
from widgets.guest_lines import alert_lines, domain_lines, reason_lines, running_lines
from widgets.guest_off import off_lines, reasons
from widgets.lines import Line, Span, faded, join, line, width_of, wrap
from widgets.panel import Edges

NUMBER = "3"

FULL_EDGE, PHONE_EDGE = 52, 42
"""Minimum width in cells for the guest's uptime in the frame, and in the rule."""


class GuestPanel(GraphPanel):
    """The allowed guest, then the other domains."""

    def __init__(self, *, id: str | None = None, glyphs: Glyphs = RICH) -> None:
        super().__init__("guest", id=id, glyphs=glyphs)
        self._state: GuestState | None = None

    def show(self, state: GuestState, times: Times | None = None) -> None:
        """Draw ``state``. One that looks the same as the last one is not drawn again. ``times`` is
        the time that the graphs cover while the panel is full-screen."""
        if (state, times) != (self._state, self.times):
            self._state, self.times = state, times
            self._draw()

    def _draw(self) -> None:
        space = self.space
        if self._state is None or self.room.width <= 0:
            return
        edges = guest_edges(
            self._state, space.width, self.glyphs, ruled=self.ruled, alone=not space.height
        )
        self.set_edges(edges)
        self.paint_graphs(guest_page(self._state, space, self.glyphs, self.times))


def guest_page(
    state: GuestState, space: Size, glyphs: Glyphs = RICH, times: Times | None = None
) -> GraphLines:
    """The panel's lines in ``space``; with ``times`` it is full-screen."""
    if times is not None and state.domain is not None:
        from widgets.guest_zoom import zoomed_lines  # noqa: PLC0415 - not for the first frame

        return zoomed_lines(state, state.domain, space, times, glyphs)
    return GraphLines(guest_lines(state, space, glyphs))


def guest_lines(state: GuestState, space: Size, glyphs: Glyphs = RICH) -> list[Line]:
    """The panel's lines in ``space`` when it is not full-screen."""
    domain = state.domain
    if space.width <= 0 or space.height <= 0:
        return []
    if domain is None:
        return _without_guest(state, space, glyphs)[: space.height]
    return (off_lines if is_off(domain) else running_lines)(state, domain, space, glyphs)


def guest_edges(
    state: GuestState,
    width: int,
    glyphs: Glyphs = RICH,
    *,
    ruled: bool = False,
    alone: bool = False,
) -> Edges:
    """Title, state, keys and note of a panel with ``width`` cells for its lines. ``alone``: it has
    no lines, so what matters most is beside the state."""
    domain, room = state.domain, width - 2
    number = Span(NUMBER, "guest")
    if domain is None:
        return Edges(line(number, Span(" Guests" if state.guests else " Guest", "strong")))
    title = line(number, Span(f" {domain.name}", "strong"))
    full = line(number, Span(" Guest", "strong"), f" · {domain.name}")
    shown = _state(state, domain, width, glyphs, ruled=ruled)
    if width >= FULL_EDGE and not ruled and width_of(full) + width_of(shown) + 4 <= room:
        title = full
    if alone:
        most = _most(state, domain, shown, glyphs)
        shown = most if width_of(title) + width_of(most) + 4 <= room else shown
    keys = _keys(state.keys or guest_keys(domain), room)
    note = line(Span(state.last_ran, "label")) if state.last_ran else ()
    if width_of(keys) + width_of(note) + 4 > room:
        note = ()
    return Edges(title, shown, keys, note)


def _state(state: GuestState, domain: Domain, width: int, glyphs: Glyphs, *, ruled: bool) -> Line:
    """``● running 2 h 00 min · agent ✓``, or as much of it as the size allows."""
    if state.problem is not None:
        since = f" {state.silent}" if ruled and state.silent else ""
        return line(Span(f"{glyphs.unknown} no answer{since}", "warn"))
    word, up, agent = state_span(domain, glyphs), state.up, agent_line(domain, glyphs)
    if ruled:
        return line(word, f" {short_uptime(up)}") if up and width >= PHONE_EDGE else line(word)
    since = f" {up}" if up and width >= FULL_EDGE else ""
    return line(word, since, *((Span(" · ", "label"), *agent) if agent else ()))


def _most(state: GuestState, domain: Domain, shown: Line, glyphs: Glyphs) -> Line:
    """The state with the load of a running guest; for one that is off, whether it cannot start."""
    if not is_off(domain):
        load = "" if domain.cpu_pct is None else f"CPU {domain.cpu_pct:.0f} %"
        return join([line(Span(load, "strong")) if load else (), shown])
    refused = any(each.verdict == "fail" for each in reasons(state, domain))
    return line(Span(f"{glyphs.failed} not ready", "bad")) if refused else shown


def _keys(hints: tuple[Hint, ...], room: int) -> Line:
    """The keys that fit; those that cannot work now are dropped first."""
    for kept in (hints, tuple(hint for hint in hints if hint.enabled)):
        shown = join([hint_line(hint) for hint in kept])
        if width_of(shown) + 2 <= room:
            return shown
    while kept and width_of(join([hint_line(hint) for hint in kept])) + 2 > room:
        kept = kept[:-1]
    return join([hint_line(hint) for hint in kept])


def _without_guest(state: GuestState, space: Size, glyphs: Glyphs) -> list[Line]:
    """No guest is chosen, or none can be."""
    width, height = space
    if state.problem == NOT_READ_YET.reason:
        return wrap("Waiting for libvirt.", width, "label")
    alerts = [*alert_lines(state, None, width), *reason_lines(state, width)]
    if not state.guests:
        return alerts or wrap("No domain is defined in libvirt.", width, "label")
    key = state.roles_key
    missing = "No guest names this card." if state.gpu else "No card and no guest are chosen."
    told = wrap(f"{missing} {key} chooses {'one' if state.gpu else 'them'}.", width)
    lines = [*alerts, *told]
    if height > len(lines) + len(state.others) + 1:
        lines.append(())
    room = max(0, height - len(lines))
    shown = state.others if len(state.others) <= room else state.others[: max(0, room - 1)]
    domains = domain_lines(shown, width, glyphs)
    lines += map(faded, domains) if state.stale else domains
    more = len(state.others) - len(shown)
    return [*lines, line(Span(f"{more} more", "label"))] if more and room else lines


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import GUEST_STATE

    preview(GuestPanel(), lambda widget: widget.show(GUEST_STATE))
