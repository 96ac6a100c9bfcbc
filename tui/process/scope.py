"""Where systemd runs: scopes, for programs that must not share a control group with this one."""

from __future__ import annotations

import shutil
from pathlib import Path

from tui.process.privileges import ROOT_PATH

_RUNS = Path("/run/systemd/system")


def systemd_runs() -> bool:
    """Whether systemd is this host's init (sd_booted(3))."""
    return _RUNS.exists()


def own_scope(slice: str, **properties: str) -> tuple[str, ...]:
    """The words that, put before a command, run it in a scope of its own (systemd-run(1)), for
    root. Empty where systemd does not run: there are no such limits either.

    The command replaces systemd-run, so that it keeps its process id and its files. ``properties``
    are those of a scope (systemd.resource-control(5)).
    """
    tool = shutil.which("systemd-run", path=ROOT_PATH)
    if tool is None or not systemd_runs():
        return ()
    limits = [f"--property={name}={value}" for name, value in properties.items()]
    return (tool, "--scope", "--quiet", "--collect", f"--slice={slice}", *limits, "--")
