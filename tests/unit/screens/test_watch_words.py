"""What the screens say about the watch."""

from __future__ import annotations

import pytest

from tests.ui.rig import NOON, Rig
from tests.values import replace
from tui.config import Config
from tui.model import Sample, Unavailable, Watch
from tui.model.watch import WatchPolicy
from tui.screens.watch_words import TURN_ON, watch_words
from tui.session import Session

BOTH = WatchPolicy(after_stop="unbind", at_boot="bind", pause_s=90)
NONE = Unavailable("no watch has run since boot", expected=True)


@pytest.mark.parametrize(
    ("reading", "does", "sentence"),
    [
        (NONE, "off", f"It returns the card when its guest has ended. {TURN_ON}"),
        (Unavailable("the record is damaged"), "unknown", "The record is damaged."),
        (Watch(False, True, BOTH), "ended",
         f"Nothing returns the card automatically now. {TURN_ON}"),
        (Watch(True, True, BOTH, "/etc/vfiotop.toml"),
         "unbinds 90 s after the guest has ended, binds at boot",
         "Set by [watch] in /etc/vfiotop.toml."),
        (Watch(True, True, WatchPolicy()), "only tells what happens",
         "The default: no configuration file. [watch] in root's config.toml changes it."),
        (Watch(True, True, WatchPolicy(), "/etc/vfiotop.toml"), "only tells what happens",
         "The default; [watch] in /etc/vfiotop.toml changes it."),
        (Watch(True, False, BOTH, "/etc/vfiotop.toml"), "only tells what happens",
         "Set by [watch] in /etc/vfiotop.toml."),
    ],
)  # fmt: skip
def test_the_words(reading: Watch | Unavailable, does: str, sentence: str) -> None:
    session = Rig().session
    session.take(Sample("watch", reading, NOON))
    assert watch_words(session) == (does, sentence)


def test_a_host_that_is_not_this_machine_is_not_said_to_lack_one() -> None:
    session = Session(replace(Rig().host, kind="captured"), Config())
    session.take(Sample("watch", NONE, NOON))
    assert watch_words(session) is None


def test_a_long_path_is_shortened() -> None:
    session = Rig().session
    session.take(Sample("watch", Watch(True, True, BOTH, "/x" * 200), NOON))
    found = watch_words(session)
    assert found is not None and len(found.sentence) < 100
