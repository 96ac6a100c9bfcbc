"""The inbox wakes its reader once for all that waits, and loses nothing."""

from __future__ import annotations

import threading

from tui.inbox import Inbox


def test_it_wakes_once_for_all_that_waits() -> None:
    woken: list[str] = []
    inbox = Inbox[int](lambda: woken.append("wake"))
    for number in range(3):
        inbox.put(number)
    assert woken == ["wake"]
    assert inbox.take() == [0, 1, 2]
    assert inbox.take() == []
    inbox.put(3)
    assert woken == ["wake", "wake"]
    assert inbox.take() == [3]


def test_a_reader_that_is_gone_fails_nobody() -> None:
    def wake() -> None:
        raise RuntimeError("Event loop is closed")

    inbox = Inbox[int](wake)
    inbox.put(1)
    assert inbox.take() == [1]


def test_whoever_takes_when_woken_misses_nothing() -> None:
    woken = threading.Semaphore(0)
    inbox = Inbox[int](woken.release)
    threads = [
        threading.Thread(target=lambda first=first: [*map(inbox.put, range(first, first + 500))])
        for first in (0, 500, 1000)
    ]
    for thread in threads:
        thread.start()
    found: list[int] = []
    while len(found) < 1500 and woken.acquire(timeout=60):
        found += inbox.take()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(1500))
