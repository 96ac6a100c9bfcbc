"""What waits is merged together, without losing a change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.rig import NVML, Rig
from tui.intake import Intake, moments
from tui.model import SOURCE_NAMES, Sample, SourceName, Unavailable
from tui.rules.events import Changed

PATIENCE = 60.0
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def sample(source: SourceName, why: str = "") -> Sample:
    return Sample(source, Unavailable(why), NOON)


def test_samples_of_different_sources_are_merged_together_and_a_guest_s_card_last() -> None:
    agent, pci, drm = sample("agent"), sample("pci"), sample("drm")
    assert list(moments([agent, pci, drm])) == [(pci, drm), (agent,)]


def test_two_changes_of_one_source_are_two() -> None:
    off, pci, on = sample("guests", "off"), sample("pci"), sample("guests", "on")
    assert list(moments([off, pci, on])) == [(off, pci), (on,)]


def test_nothing_is_nothing() -> None:
    assert list(moments([])) == []


@given(st.lists(st.sampled_from(sorted(SOURCE_NAMES))))
def test_each_sample_comes_once_and_each_source_s_in_order(names: list[SourceName]) -> None:
    samples = [sample(name, str(number)) for number, name in enumerate(names)]
    taken = [each for batch in moments(samples) for each in batch]
    for name in SOURCE_NAMES:
        assert [s for s in taken if s.source == name] == [s for s in samples if s.source == name]
    assert all(len({s.source for s in batch}) == len(batch) for batch in moments(samples))


async def test_what_a_source_has_said_is_merged_before_its_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Rig().session
    told: list[Changed] = []
    intake = Intake(session, lambda: None, told.append)
    silent = sample("nvml", "no answer since 12:00:00")
    stalled = [silent]
    monkeypatch.setattr(session, "stalled", lambda: iter(stalled))
    intake.put(Sample("nvml", NVML, NOON))
    intake.take()
    assert [bool(each.after.problem("nvml")) for each in told] == [False, True]
    stalled.clear()
    intake.take()
    assert len(told) == 2


@pytest.mark.parametrize("what", ["a source does not answer", "something else waits"])
async def test_it_wakes_after_a_while_without_samples_for_what_waits(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Rig().session
    monkeypatch.setattr("tui.intake.QUIET_S", 0.001)
    looked: asyncio.Queue[None] = asyncio.Queue()
    waits, silent = False, [sample("nvml")]

    def stalled() -> Iterator[Sample]:
        looked.put_nowait(None)
        return iter(silent if waits and what == "a source does not answer" else ())

    woken = asyncio.Event()
    monkeypatch.setattr(session, "stalled", stalled)
    intake = Intake(
        session, woken.set, lambda _: None, waits=lambda: waits and what == "something else waits"
    )
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            await looked.get()
        assert not woken.is_set()
        waits = True
        await woken.wait()
        woken.clear()
        intake.take()  # as it does when woken; it waits on
        await woken.wait()
    intake.close()


async def test_samples_put_off_the_look_for_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Rig().session
    monkeypatch.setattr(session, "stalled", lambda: iter(()))
    intake = Intake(session, lambda: None, lambda _: None)
    first = intake._quiet
    intake.take()
    assert first.cancelled()
    assert not intake._quiet.cancelled()
    intake.close()
    assert intake._quiet.cancelled()
