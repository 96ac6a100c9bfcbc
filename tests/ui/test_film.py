"""The animated picture in the README: one shot at a time, each for its seconds, in a loop."""

from __future__ import annotations

import re

from tests.svg import moving

FRAME = '<svg class="rich-terminal" viewBox="0 0 {} 20" xmlns="http://www.w3.org/2000/svg"></svg>'


def test_each_picture_is_shown_for_its_time() -> None:
    film = moving([(FRAME.format(10), 1.0), (FRAME.format(10), 3.0)])
    times = re.findall(r"@keyframes (\w+) { ([0-9.]+)% { visibility: visible } ([0-9.]+)%", film)
    assert times == [("f0", "0.000", "25.000"), ("f1", "25.000", "100.000")]
    assert re.findall(r"animation: (\w+) (\w+) step-end infinite", film) == [
        ("f0", "4s"), ("f1", "4s"),
    ]  # fmt: skip
    assert film.startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 20">')


def test_who_asked_for_less_motion_sees_the_first() -> None:
    film = moving([(FRAME.format(10), 1.0)])
    assert "@media (prefers-reduced-motion: reduce) { .frame { animation: none }" in film
