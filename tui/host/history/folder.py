"""Where the history is: a folder on disk, and one in memory for its newest part."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tui.host.run_folder import FOLDER, RunFolder
from tui.model.past import MINUTES, SECONDS, TENS, Tier

DISK = Path("/var/lib/vfiotop/history")
MEMORY = FOLDER / "history"

_SEGMENT = re.compile(r"([0-9]{8,12})\.history")
_ASIDE = re.compile(r"([0-9]{8,12})\.aside")


class Shape(NamedTuple):
    """How a store keeps its files: it begins a new one every ``segment_s`` seconds, and keeps the
    newest ones until they cover ``keep_s`` seconds. Once newer files cover ``pack_s`` seconds, a
    file is rewritten with ``kept_tiers`` only, each series in one piece.

    A file has at most ``segment_limit`` bytes, and all together at most ``total_limit`` plus one
    more file. ``synced``: each entry is forced to the disk when it is written.
    """

    segment_s: int
    keep_s: int
    pack_s: int
    kept_tiers: tuple[Tier, ...]
    segment_limit: int
    total_limit: int
    synced: bool = False


ON_DISK = Shape(3600, MINUTES.keep_s, TENS.keep_s, (MINUTES,), 2 << 20, 8 << 20, synced=True)
IN_MEMORY = Shape(60, SECONDS.keep_s, 0, (SECONDS,), 1 << 20, 2 << 20)
FILES_LIMIT = 100
"""Files of one store: a watch that is restarted begins a new one."""

ASIDE_LIMIT = 4
"""Files of another version that are kept."""


def segment_name(number: int) -> str:
    """The name of the file with that number."""
    return f"{number:08}.history"


def aside_name(number: int) -> str:
    """The name of a file with that number that another version has written."""
    return f"{number:08}.aside"


def segments(files: RunFolder) -> list[int]:
    """The numbers of the files of a store, the oldest first. Raises ``OSError``."""
    return segments_among(path.name for path in files.path.iterdir())


def segments_among(names: Iterable[str]) -> list[int]:
    """The numbers of the files of a store among the names in a folder, the oldest first."""
    return _numbers(names, _SEGMENT)


def set_aside(files: RunFolder) -> list[int]:
    """The numbers of the files of other versions, the oldest first. Raises ``OSError``."""
    return _numbers((path.name for path in files.path.iterdir()), _ASIDE)


def _numbers(names: Iterable[str], pattern: re.Pattern[str]) -> list[int]:
    found = map(pattern.fullmatch, names)
    return sorted(int(match[1]) for match in found if match)
