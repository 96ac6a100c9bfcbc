"""How often others were asked in the last minute."""

from __future__ import annotations

from tui.host.calls import CallLog


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_calls_are_counted_by_whom_they_asked() -> None:
    log = CallLog(Clock())
    log.count("nvml", 17)
    log.count("libvirt")
    log.count("libvirt")
    assert log.last_minute() == {"nvml": 17, "libvirt": 2, "agent": 0}


def test_what_is_older_than_a_minute_is_forgotten() -> None:
    clock = Clock()
    log = CallLog(clock)
    log.count("agent")
    clock.now += 30
    log.count("agent", 2)
    clock.now += 29.5
    assert log.last_minute()["agent"] == 3
    clock.now += 1
    assert log.last_minute()["agent"] == 2
    clock.now += 60
    assert log.last_minute()["agent"] == 0
