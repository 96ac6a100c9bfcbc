"""The lines of real kernel logs are recognised, and others are not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tui.rules.kernel_messages import BY_ID, TOPICS, recognised
from tui.rules.xids import XIDS

LINES = Path(__file__).parents[2] / "data" / "kernel-lines.txt"

FORM = re.compile(r"(\S+) (\S+)(?: (.*))? \| (.*)")


def reported() -> Iterator[tuple[str, str, str, str]]:
    """Topic, address, detail and text of each reported line."""
    for row in LINES.read_text().splitlines():
        if row and not row.startswith("#"):
            found = FORM.fullmatch(row)
            assert found is not None, row
            yield found[1], found[2], found[3] or "", found[4].replace("\\n", "\n")


@pytest.mark.parametrize(("topic", "address", "detail", "text"), [*reported()])
def test_a_reported_line(topic: str, address: str, detail: str, text: str) -> None:
    found = recognised(text)
    if topic == "-":
        assert found is None
        return
    assert found is not None
    assert (found.topic.id, found.address or "-", found.detail) == (topic, address, detail)


def test_every_topic_has_a_line_and_a_name_of_its_own() -> None:
    assert {topic for topic, *_ in reported()} - {"-"} == set(BY_ID)
    assert len(BY_ID) == len(TOPICS)


def test_each_pattern_matches_a_line() -> None:
    texts = [text for *_, text in reported()]
    unused = [
        pattern
        for topic in TOPICS
        for pattern in topic.patterns
        if not any(re.match(pattern, text, re.DOTALL) for text in texts)
    ]
    assert unused == []


@given(before=st.text(min_size=1, max_size=12))
@examples(30)
def test_a_line_that_only_quotes_one_is_none(before: str) -> None:
    """A USB device or a process may be named like one; it counts only at the beginning of a
    line."""
    for topic, _, _, text in reported():
        if topic in ("off-bus", "in-use", "xid", "iommu-waits", "recovery"):
            assert recognised(f"{before} {text}") is None


@pytest.mark.parametrize(
    "text",
    [
        "usb 1-2: Product: NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.",
        "NVRM: Xid (PCI:0000:01:00) 79",
        "NVRM: Xid (PCI:0000:01:20): 79, GPU",
        "vfio-pci 0000:01:00.9: not ready 65535ms after FLR; giving up",
        "vfio-pci 01:00.0: not ready 65535ms after FLR; giving up",
        "vfio-pci 0000:01:00.0: not ready 65535ms after \x1b[31m; giving up",
        "DMAR: [DMA Read] Request device [01:00.0]",
    ],
)
def test_a_line_that_is_almost_one(text: str) -> None:
    assert recognised(text) is None


@given(st.text(max_size=300))
@examples(200)
def test_any_text_is_taken(text: str) -> None:
    found = recognised(text)
    assert found is None or found.topic in TOPICS


def test_no_pattern_hangs_on_a_line_that_repeats_what_it_repeats() -> None:
    for text in ("NVRM: The NVIDIA GPU 0000:b3:00.0" + " fallen" * 1000,
                 "NVRM: Xid (PCI:0000:01:00): 154, " + " to 0x2 (" * 1000,
                 "vfio-pci 0000:0c:00.3: not ready 1ms after " + "a " * 4000):  # fmt: skip
        found = recognised(text)
        assert found is None or found.topic.id == "xid"


def test_what_is_said_fits_a_row_and_says_what_to_do() -> None:
    for topic in TOPICS:
        assert len(topic.text) <= 72, topic.id
        assert topic.kind in ("note", "done") or topic.fix or topic.id == "xid", topic.id
    for number, xid in XIDS.items():
        assert len(f"Xid {number}: {xid.text}") <= 72, number
        assert xid.kind == "note" or xid.fix, number
