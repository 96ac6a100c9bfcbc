"""The names of hooks: those of guests stay, those of scripts do not."""

from __future__ import annotations

import pytest

from tui.host.capture.scripts import hook_path
from tui.host.capture.standins import StandIns


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("win11", "win11"),
        ("win11/prepare/begin", "win11/prepare/begin"),
        ("win11/prepare/begin/acme.sh", "win11/prepare/begin/hook-1.sh"),
        ("win11/prepare/begin/mount-nas-of-acme", "win11/prepare/begin/hook-1"),
        ("win11/acme/begin/acme.py", "win11/hook-1/begin/hook-1.py"),
        ("acme.sh", "hook-1.sh"),
    ],
)
def test_the_path_of_a_hook(path: str, told: str) -> None:
    assert hook_path(path, StandIns()) == told


def test_a_folder_has_the_same_name_in_the_paths_below_it() -> None:
    stand_ins = StandIns()
    folder = hook_path("win11/acme.sh", stand_ins)
    assert hook_path("win11/acme.sh/begin", stand_ins) == f"{folder}/begin"
