"""Which process is our own NVML child: one with exactly the words that we start, and no other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tui.host.journal.file import JOURNAL
from tui.host.nvml.command import DRIVER, command, is_nvml_child

CARDS = ("0000:01:00.0", "0000:02:00.0")


def started(
    driver: Path = DRIVER, journal: Path = JOURNAL, cards: tuple[str, ...] = CARDS
) -> list[str]:
    return command(driver, journal, (12, 1700000000123456789), cards)


def test_what_is_started_is_recognised() -> None:
    assert is_nvml_child(started())
    assert is_nvml_child(command(DRIVER, JOURNAL, None, CARDS[:1]))


@pytest.mark.parametrize("place", range(len(started())))
def test_another_word_in_any_place(place: int) -> None:
    words = started()
    words[place] += "x"
    pynvml = 4  # may be in another folder for another user
    assert is_nvml_child(words) is (place == pynvml)


@pytest.mark.parametrize(
    "words",
    [
        ["vim", *started()],
        ["tail", "-f", started()[3]],
        [*started()[:3], "-c", "pass", *started()[3:]],
        [started()[0], *started()[3:]],
        [*started(), "--more"],
        [*started(), ""],
        started()[:8],
        [*started()[:4], "relative", *started()[5:]],
        started(driver=Path("/tmp/nvidia")),
        started(journal=Path("/tmp/swap.json")),
        started(cards=("01:00.0",)),
        [],
    ],
)  # fmt: skip
def test_what_looks_like_it(words: list[str]) -> None:
    assert not is_nvml_child(words)


def test_it_loads_little(tmp_path: Path) -> None:
    """It runs as long as vfiotop does."""
    python, *words = command(tmp_path, tmp_path / "swap.json", None, ())
    done = subprocess.run(
        [python, "-X", "importtime", *words], input=b"x", capture_output=True, check=True
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}
    assert {"ctypes", "json", "pynvml", "tui.host.nvml.reader"} <= loaded
    assert loaded & {"site", "tui.model", "ctypes.util", "subprocess", "tempfile"} == set()
    assert json.loads(done.stdout)  # with or without NVML here
