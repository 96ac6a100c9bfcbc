"""A change between two views, before it becomes an event."""

from __future__ import annotations

from typing import Literal, NamedTuple

from tui.model import HostView, SourceName

Tone = Literal["info", "good", "warn", "bad"]


class Change(NamedTuple):
    """A change to report. ``key`` identifies what changed if the subject, which is for display,
    does not: a domain's UUID."""

    subject: str
    text: str
    tone: Tone
    key: str | None = None


def all_read(source: SourceName, *views: HostView) -> bool:
    """Whether all views rest on a reading of the source. An empty view has neither a reading nor
    a problem."""
    return all(view.problem(source) is None and view != HostView() for view in views)
