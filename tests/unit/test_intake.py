"""What waits is merged together, without losing a change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.rig import NVML, Rig
from tui.intake import Intake, moments
from tui.model import SOURCE_NAMES, Sample, SourceName, Unavailable
from tui.rules.events import Changed

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
    assert intake.take_stalls()
    assert [bool(each.after.problem("nvml")) for each in told] == [False, True]
    stalled.clear()
    assert not intake.take_stalls()
