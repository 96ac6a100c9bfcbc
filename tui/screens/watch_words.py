"""What the screens say about the watch: what it does, and where that is set."""

from __future__ import annotations

from typing import NamedTuple

from tui.model import Watch, capital
from tui.model.watch import WatchPolicy
from tui.process.output import short
from tui.session import Session

TURN_ON = "`sudo systemctl enable --now vfiotop-watch` turns it on."

PATH_LIMIT = 60
"""Maximum characters of the path of its configuration."""


class WatchWords(NamedTuple):
    """What the watch does, and a sentence on where that is set, or how to turn it on."""

    does: str
    sentence: str


def watch_words(session: Session) -> WatchWords | None:
    """The words for this host; ``None`` for a simulated or captured one without a watch."""
    view = session.live.view
    problem = view.problem("watch")
    if problem is not None:
        return WatchWords("unknown", f"{capital(problem)}.")
    if view.watch is None and session.host.kind != "real":
        return None
    if view.watch is None:
        return WatchWords("off", f"It returns the card when its guest has ended. {TURN_ON}")
    if not view.watch.running:
        return WatchWords("ended", f"Nothing returns the card automatically now. {TURN_ON}")
    return WatchWords(_does(view.watch), _origin(view.watch))


def _does(watch: Watch) -> str:
    policy = watch.policy
    deeds = []
    if watch.acts and policy.after_stop == "unbind":
        deeds.append(f"unbinds {policy.pause_s:g} s after the guest has ended")
    if watch.acts and policy.at_boot == "bind":
        deeds.append("binds at boot")
    return ", ".join(deeds) or "only tells what happens"


def _origin(watch: Watch) -> str:
    if watch.file is None:
        return "The default: no configuration file. [watch] in root's config.toml changes it."
    place = f"[watch] in {short(watch.file, PATH_LIMIT)}"
    if watch.policy == WatchPolicy():
        return f"The default; {place} changes it."
    return f"Set by {place}."
