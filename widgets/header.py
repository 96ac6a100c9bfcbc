"""The top line: who has the guest's card, and the name of the host, if it is a real one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product

from tui.model import Check, HostView, Verdict, Watch
from widgets.canvas import Canvas
from widgets.card_names import card_name, short_card_name
from widgets.check_names import VERDICT_SIGNS
from widgets.figures import short, uptime
from widgets.glyphs import RICH, Glyphs
from widgets.guest import short_uptime
from widgets.lines import Line, Span, Tone, fit, join, line, pad, width_of
from widgets.owner import owner_span

FULL, NORMAL = 98, 70
"""Minimum width in cells to spell everything out, and to show the program's name."""

NAME = 18
"""Minimum width of a guest's name with its sign when cut, and maximum width of a host's name."""

SHORT_BANNERS = {"simulated": "demo", "captured": "captured"}
"""The short form of a banner that contains the key, for a narrow header."""

WATCH_ENDED = "watch ended"
"""The notice that the watch has ended unexpectedly."""

WORST: tuple[Verdict, ...] = ("fail", "warn", "unknown", "pass")


class HostHeader(Canvas):
    """Who has the card; the checks; the host; a banner on simulated and captured hosts."""

    DEFAULT_CSS = """
    HostHeader { height: 1; dock: top; padding: 0 1; background: $surface; }
    """

    def __init__(self, banner: str | None, *, glyphs: Glyphs = RICH) -> None:
        super().__init__()
        self._banner = banner
        self._glyphs = glyphs
        self._view: HostView | None = None
        self._at: datetime | None = None
        self._up = ""
        self._notices: tuple[str, ...] = ()
        self._checks: tuple[Check, ...] = ()
        self._flash = False

    def show(
        self,
        view: HostView,
        at: datetime,
        checks: tuple[Check, ...] = (),
        notices: tuple[str, ...] = (),
        *,
        flash: bool = False,
    ) -> None:
        """Draw the header of ``view`` as of ``at``, with a summary of ``checks``; ``notices`` say
        what is unusual about its readings. ``flash``: the owner has just changed."""
        shown = (view, owner_up(view, at), checks, notices, flash)
        if shown != (self._view, self._up, self._checks, self._notices, self._flash):
            self._view, self._up, self._checks, self._notices, self._flash = shown
            self._at = at
            self._draw()

    def _draw(self) -> None:
        if self._view is None or self._at is None or self.room.width <= 0:
            return
        drawn = header_line(
            self._view, self._at, self.room.width, self._glyphs,
            checks=self._checks, banner=self._banner, notices=self._notices, flash=self._flash,
        )  # fmt: skip
        self.paint([drawn])


def header_line(
    view: HostView,
    at: datetime,
    width: int,
    glyphs: Glyphs = RICH,
    *,
    checks: Sequence[Check] = (),
    banner: str | None = None,
    notices: Sequence[str] = (),
    flash: bool = False,
) -> Line:
    """The longest form that fits. Notices and the banner are never dropped; what the watch does is
    dropped first."""
    brief = short_banner(banner)
    if view.watch is not None and view.watch.failed:
        notices = (WATCH_ENDED, *notices)
    banners = (banner, brief) if width < NORMAL else (banner,)
    for left, right in _forms(view, at, checks, width, glyphs, flash=flash):
        for told, watch in product(banners, (*watch_forms(view.watch), ())):
            start = join([left, watch])
            end = join([right, _warnings(notices, told)])
            if width >= FULL:
                end = join([_facts(view, width - width_of(start) - width_of(end) - 4), end])
            if width_of(start) + width_of(end) + (2 if end else 0) <= width:
                return (*pad(start, width - width_of(end)), *end) if end else start
    end = fit(_warnings(notices, brief), width)
    return (*pad((), width - width_of(end)), *end)


def watch_forms(watch: Watch | None) -> Iterator[Line]:
    """What the watch does, in ever shorter forms; none unless it runs."""
    if watch is None or not watch.running:
        return
    first = watch.deeds[0]
    for words in (", ".join(watch.deeds), first, first.split()[0]):
        yield line(Span(f"watch: {words}", "label", "app.settings"))


def _warnings(notices: Sequence[str], banner: str | None) -> Line:
    return join([line(Span(text, "warn")) for text in (*notices, banner) if text])


def _forms(
    view: HostView,
    at: datetime,
    checks: Sequence[Check],
    width: int,
    glyphs: Glyphs,
    *,
    flash: bool,
) -> Iterator[tuple[Line, Line]]:
    """The texts at the left and at the right end, in ever shorter forms."""
    up = owner_up(view, at)
    since, briefly = (line(up), line(short_uptime(up))) if up else ((), ())
    owner = _owner(view, width, glyphs, flash=flash)
    full, normal = (_card(view, owner, glyphs, full=each) for each in (True, False))
    forms = list(checks_forms(checks, glyphs))
    program = line(Span("vfiotop", "strong"))
    host = fit(line(view.facts.name), NAME) if view.facts else ()
    if width >= FULL:
        for told in forms:
            yield join([join([program, host, full, since]), told], "   "), ()
    if width >= NORMAL:
        for told in forms:
            yield join([join([program, host], " "), normal, since, told]), ()
    for told in forms[1:] or forms:
        yield join([host, normal, briefly], " "), told
    for parts in ([normal, briefly], [normal], [owner], []):
        yield join(parts, " "), forms[-1]


def owner_up(view: HostView, at: datetime) -> str:
    """How long the guest that has the card has run; empty if none has it."""
    gpu = view.guest_gpu
    if gpu is None or gpu.guest_uuid is None:
        return ""
    domain = next((g.domain for g in view.guests if g.domain.uuid == gpu.guest_uuid), None)
    return uptime(domain.started_at, at) if domain is not None and domain.started_at else ""


def _card(view: HostView, owner: Line, glyphs: Glyphs, *, full: bool) -> Line:
    """The guest's card and who has it: ``RTX 4090 ◆ in win11``."""
    gpu = view.guest_gpu
    if gpu is not None:
        name = (card_name if full else short_card_name)(gpu.name)
        return line(Span(f"{name} ", "strong"), *owner)
    if view.absent_card is not None:
        return line(Span(f"{glyphs.failed} {short(view.absent_card)} is gone", "bad"))
    return line(Span("no guest GPU", "label")) if view.gpus else ()


def _owner(view: HostView, width: int, glyphs: Glyphs, *, flash: bool) -> Line:
    gpu = view.guest_gpu
    if gpu is None:
        return ()
    span = owner_span(gpu, view.swap, glyphs)
    return fit(line(span._replace(tone="flash") if flash else span), max(NAME, width // 3))


def checks_forms(checks: Sequence[Check], glyphs: Glyphs = RICH) -> Iterator[Line]:
    """``d ✓ 6 live checks`` in ever shorter forms: the checks that run all the time, and not only
    when the key is pressed. If some did not pass, it names the first of the worst ones."""
    key = Span("d", "key", "app.doctor")
    if not checks:
        yield line(key, Span(" checks", "label", "app.doctor"))
        yield line(key)
        return
    worst = next(verdict for verdict in WORST if any(c.verdict == verdict for c in checks))
    found = [check for check in checks if check.verdict == worst]
    sign, tone = VERDICT_SIGNS[worst]
    head = (key, " ", Span(getattr(glyphs, sign), tone, "app.doctor"))
    if worst == "pass":
        few = f" {len(found)} live check{'s' if len(found) > 1 else ''}"
        yield line(*head, Span(few, "label"))
    else:
        yield line(*head, Span(f" {found[0].id}", tone, "app.doctor"))
    yield line(*head, Span(f" {len(found)}", "label"))
    yield line(*head)


def short_banner(banner: str | None) -> str | None:
    """``demo`` for ``Simulated host: gaming``."""
    text = (banner or "").casefold()
    return next((word for known, word in SHORT_BANNERS.items() if known in text), banner)


def _facts(view: HostView, room: int) -> Line:
    """The facts about the host that fit into ``room``, none of them cut."""
    kind = f" {view.iommu_kind}" if view.iommu_kind else ""
    iommu: list[str] = []
    if view.iommu_enabled:
        iommu = [f"IOMMU{kind}, {view.iommu_groups} groups", f"IOMMU{kind}"]
    elif view.iommu_enabled is False:
        iommu = ["IOMMU off"]
    linux = f"Linux {view.facts.kernel}" if view.facts else ""
    libvirt = f"libvirt {view.libvirt_version}" if view.libvirt_version else ""
    tone: Tone = "warn" if view.iommu_enabled is False else "label"
    first, brief = (iommu[0], iommu[-1]) if iommu else ("", "")
    for texts in ((first, linux, libvirt), (brief, linux, libvirt), (brief, "", libvirt), (brief,)):
        spans = [
            Span(text, tone if text.startswith("IOMMU") else "label") for text in texts if text
        ]
        shown = join([line(span) for span in spans])
        if width_of(shown) <= room:
            return shown
    return ()


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import AT, VIEW

    preview(HostHeader("Sample host"), lambda widget: widget.show(VIEW, AT))
