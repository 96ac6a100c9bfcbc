"""Whether a card is awake: one rule, whatever power/runtime_status says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host.drm import power
from tui.host.idle import RuntimePower
from tui.host.pci.power import read_power, read_status
from tui.host.sysfs import Attributes
from tui.host.tree import PlainTree

CARD = "0000:01:00.0"


class Told:
    """A card whose files are those in ``said``, and no others."""

    def __init__(self, **said: bytes) -> None:
        self._said = {name.replace("_", "/", 1): data for name, data in said.items()}

    def read(self, name: str, limit: int = 4096) -> bytes | None:
        return self._said.get(name)


STATUS = st.binary(max_size=40) | st.sampled_from(
    [b"active", b"suspended", b"suspending", b"resuming", b"error", b"unsupported", b""]
).flatmap(lambda word: st.binary(max_size=4).map(lambda rest: word + rest))


@given(STATUS)
def test_only_what_says_so_is_awake(said: bytes) -> None:
    """The kernel's word and a newline, or padded with NULs where it was copied."""
    _, awake = read_status(Attributes(Told(power_runtime_status=said)))  # type: ignore[arg-type]
    word = said.removeprefix(b"\xef\xbb\xbf").partition(b"\0")[0]
    assert awake == (word.strip(b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f") == b"active")


@pytest.mark.parametrize("said", ["active", "active\n", "active\n\0\0\0", "active\0"])
def test_awake(tmp_path: Path, said: str) -> None:
    assert power_of(tmp_path, said) == RuntimePower(CARD, asleep=False, may_sleep=True)


@pytest.mark.parametrize(
    "said",
    ["suspended", "suspending", "resuming", "error", "unsupported", "", "\n", "\0", "Active",
     "ACTIVE", "inactive", "active active", "active\nerror", "\0active", "aktiv", "actıve", "1"],
)  # fmt: skip
def test_not_awake(tmp_path: Path, said: str) -> None:
    assert power_of(tmp_path, said) == RuntimePower(CARD, asleep=True, may_sleep=False)


def power_of(folder: Path, status: str) -> RuntimePower:
    """What both rules decide; they differ only for a card with a screen."""
    (folder / "power").mkdir()
    (folder / "power/runtime_status").write_text(status)
    (folder / "power/control").write_text("auto\n")
    found = read_power(PlainTree(folder), CARD)
    assert power.read_power(PlainTree(folder), CARD) == found
    return found
