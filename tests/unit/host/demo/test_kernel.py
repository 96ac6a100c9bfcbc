"""What the simulated kernel says, and when."""

from __future__ import annotations

import pytest

from tests.demo import HeldClock
from tui.host.demo.host import demo_host
from tui.host.demo.kernel import KernelLine, log_at
from tui.host.kernel_log import KEPT

ONCE = KernelLine(5, "AMD-Vi: Completion-Wait loop timed out")
AGAIN = KernelLine(20, "NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.", every=100)
OTHER = KernelLine(6, "usb 1-1: new high-speed USB device")


@pytest.mark.parametrize(
    ("at", "topics"),
    [
        (4, []), (5, ["iommu-waits"]), (19.9, ["iommu-waits"]), (20, ["iommu-waits", "off-bus"]),
        (119, ["iommu-waits", "off-bus"]), (120, ["iommu-waits", "off-bus", "off-bus"]),
    ],
)  # fmt: skip
def test_what_was_said_so_far(at: float, topics: list[str]) -> None:
    log = log_at((AGAIN, ONCE, OTHER), at)
    assert [message.topic for message in log.messages] == topics
    assert [message.number for message in log.messages] == sorted(
        {message.number for message in log.messages}
    )


def test_a_long_simulation_keeps_as_much_as_a_log() -> None:
    log = log_at((AGAIN,), 1_000_000)
    assert len(log.messages) == KEPT
    assert log.messages[-1].number == 999_920_000


@pytest.mark.parametrize(
    ("line", "after", "next_time"),
    [(ONCE, 4, 5), (ONCE, 5, None), (AGAIN, 0, 20), (AGAIN, 20, 120), (AGAIN, 119, 120)],
)
def test_the_next_time(line: KernelLine, after: float, next_time: float | None) -> None:
    assert line.next_time(after) == next_time


def test_it_wakes_whoever_watches() -> None:
    clock = HeldClock()
    host = demo_host("lost", clock=clock)
    seen: list[int] = []
    host.kernel.watch(lambda: seen.append(len(host.kernel.read().messages)))
    clock.advance(19)
    assert seen == []
    clock.advance(1)
    assert seen == [1]
    clock.advance(100)
    assert seen == [1, 2]
    host.close()
