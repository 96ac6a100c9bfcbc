"""``vfiotop watch --keep``."""

from __future__ import annotations

from argparse import Namespace
from datetime import timedelta

import pytest

from tests.ui.rig import NOON, Rig
from tui.cli.exits import DONE, FAILED
from tui.cli.watch import run
from tui.config import Config
from tui.host import HostError
from tui.model import PendingReturn, Watch
from tui.model.watch import WatchPolicy

RETURN = PendingReturn("a" * 32, "0000:01:00.0", "win11", NOON + timedelta(seconds=27))


def returning() -> Rig:
    rig = Rig()
    rig.watch.reading = Watch(True, True, WatchPolicy(after_stop="unbind"), pending=RETURN)
    return rig


def keep(rig: Rig) -> int:
    return run(rig.host, Config(), Namespace(keep=True))


def test_it_cancels_the_return(capfd: pytest.CaptureFixture[str]) -> None:
    rig = returning()
    assert keep(rig) == DONE
    assert rig.keeper.kept == [RETURN.id]
    assert capfd.readouterr().out == "0000:01:00.0 stays on vfio-pci\n"


def test_without_a_return_there_is_nothing_to_cancel(capfd: pytest.CaptureFixture[str]) -> None:
    rig = Rig()
    assert keep(rig) == FAILED
    rig.watch.reading = Watch(True, True, WatchPolicy())
    assert keep(rig) == FAILED
    told = "vfiotop: no watch is about to return a card\n"
    assert capfd.readouterr().err == told * 2
    assert rig.keeper.kept == []


def test_who_may_not_is_told_so(capfd: pytest.CaptureFixture[str]) -> None:
    rig = returning()
    rig.keeper.unavailable_reason = "only root can: `sudo vfiotop watch --keep`"
    assert keep(rig) == FAILED
    assert "only root can: `sudo vfiotop watch --keep`" in capfd.readouterr().err
    assert rig.keeper.kept == []


def test_a_request_that_fails_is_an_error() -> None:
    rig = returning()
    rig.keeper.answer = HostError("the folder is full")
    with pytest.raises(HostError, match="the folder is full"):
        keep(rig)
