"""Whether NVML sees a card, checked by a process that holds nothing afterwards."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tui.host.nvml.probe_child import NOT_VISIBLE

KILL_GRACE_S, RETRY_PAUSE_S = 1.0, 0.5

_PROGRAM = Path(__file__).with_name("probe_child.py")


def why_not_visible(
    address: str, seconds: float, environment: Mapping[str, str] | None = None
) -> str | None:
    """Return why NVML does not see the card at ``address`` within ``seconds``.

    ``None`` if NVML sees it (nvmlDeviceGetHandleByPciBusId_v2), or if there is no NVML to
    ask.
    """
    found = importlib.util.find_spec("pynvml")
    if found is None or found.origin is None:
        return None
    pynvml = str(Path(found.origin).parent)
    command = [sys.executable, "-I", "-S", "-B", str(_PROGRAM), pynvml, address]
    deadline = time.monotonic() + seconds
    while True:
        status = _run(command, max(0.0, deadline - time.monotonic()), dict(environment or {}))
        if status is None:
            return f"NVML did not answer within {seconds:.0f} s"
        if status != NOT_VISIBLE:
            return None
        if time.monotonic() + RETRY_PAUSE_S > deadline:
            return f"NVML does not see it after {seconds:.0f} s"
        time.sleep(RETRY_PAUSE_S)


def _run(command: list[str], seconds: float, environment: dict[str, str]) -> int | None:
    """Return the exit status of a process that checks once; ``None`` if it does not end."""
    child = subprocess.Popen(  # noqa: S603
        command, cwd="/", env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        with suppress(subprocess.TimeoutExpired):  # SIGKILL does not reach it inside the driver
            child.wait(KILL_GRACE_S)
        return None
