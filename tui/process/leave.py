"""Ends the process without Python's own shutdown."""

from __future__ import annotations

import os
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process with an exit code.

    A call to libvirt, a driver or a file may hang, so the threads that make them run until the
    process ends. Python's shutdown deletes what they use: a thread whose call to libvirt fails
    after it reports the error to an interpreter that is gone (PyGILState_Ensure), and the process
    dies by SIGSEGV. Nothing of ours needs the shutdown; ``tui.process.output`` buffers nothing.
    """
    os._exit(code)
