"""Whether NVML sees a card, asked by a process that holds nothing afterwards."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tui.host.nvml_once import UNSEEN

END_S = 1.0

_PROGRAM = Path(__file__).with_name("nvml_once.py")


def unseen(
    address: str, seconds: float, environment: Mapping[str, str] | None = None
) -> str | None:
    """Why NVML does not see the card at ``address`` within ``seconds``; ``None`` where it
    does, or where there is no NVML to ask (nvmlDeviceGetHandleByPciBusId_v2)."""
    found = importlib.util.find_spec("pynvml")
    if found is None or found.origin is None:
        return None
    child = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", str(_PROGRAM), str(Path(found.origin).parent), address],
        cwd="/", env=dict(environment or {}), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        status = child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        with suppress(subprocess.TimeoutExpired):  # inside the driver it does not hear of it
            child.wait(END_S)
        return f"NVML has not answered within {seconds:.0f} s"
    return "NVML does not see it" if status == UNSEEN else None
