"""A stop of the watch while systemd makes a scope for the user's program."""

from __future__ import annotations

import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.host import until
from tests.lab.units import await_state, systemctl
from tests.lab.watches import AFTER_STOP, UNIT, configure, installed_watch, lend, start
from tui.process.privileges import ROOT_PATH

pytestmark = [pytest.mark.only("systemd"), pytest.mark.usefixtures("whole")]

SLOW_RUN = """\
#!/bin/sh
echo >>{folder}/asked
until [ -e {folder}/go ]; do sleep 0.1; done
exec {folder}/systemd-run "$@"
"""

TELLER = """\
#!/bin/sh
cat /proc/self/cgroup >>{folder}/groups
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a systemd-run that is slow, the real one beside it, and the user's program.
    It is open to every user, and outside of what the unit hides."""
    made = Path("/var/lib/lab-slow")
    made.mkdir()
    made.chmod(0o777)
    for name, text in (("slow-run", SLOW_RUN), ("teller", TELLER)):
        (made / name).write_text(text.format(folder=made))
        (made / name).chmod(0o755)
    shutil.copy(systemd_run(), made / "systemd-run")
    yield made
    shutil.rmtree(made)


def systemd_run() -> str:
    found = shutil.which("systemd-run", path=ROOT_PATH)
    assert found is not None
    return found


def test_a_stop_does_not_take_the_program_out_of_its_scope(folder: Path) -> None:
    slow = f"BindReadOnlyPaths={folder}/slow-run:{systemd_run()}"
    with installed_watch(drop_ins=[f"[Service]\nReadWritePaths={folder}\n{slow}\n"]):
        configure(AFTER_STOP, f'on_event = ["{folder}/teller"]')
        start()
        lend()  # an event: the card was bound by someone else
        until((folder / "asked").exists)
        systemctl("stop", "--no-block", UNIT)
        await_state(UNIT, "deactivating")
        (folder / "go").touch()
        await_state(UNIT, "inactive")
    groups = (folder / "groups").read_text().splitlines()
    slice = f"0::/user.slice/user-{pwd.getpwnam('nobody').pw_uid}.slice/"
    assert groups
    assert [group for group in groups if not group.startswith(slice)] == []
    asked = (folder / "asked").read_text().splitlines()
    assert len(asked) == len(groups)  # the stop ended no systemd-run
