"""A change between two views, before it becomes an event."""

from __future__ import annotations

from typing import NamedTuple

from tui.model import NOT_READ_YET, EventCause, EventKind, HostView, SourceName


class Change(NamedTuple):
    """A change to report. ``key`` identifies what changed if the subject, which is for display,
    does not: a domain's UUID. ``by`` is the cause if it was not our doing. ``fix`` is what to do
    about it."""

    subject: str
    text: str
    kind: EventKind
    key: str | None = None
    by: EventCause = "external"
    fix: str | None = None


def never_read(source: SourceName, view: HostView) -> bool:
    """Whether the source was not read before this view. An empty view is before all readings."""
    return view == HostView() or view.problem(source) == NOT_READ_YET.reason


def all_read(source: SourceName, *views: HostView) -> bool:
    """Whether all views rest on a reading of the source. An empty view has neither a reading nor
    a problem."""
    return all(view.problem(source) is None and view != HostView() for view in views)
