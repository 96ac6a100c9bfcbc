"""Processes that really start and end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from tui.host.proc.process import Process, is_alive, process_of, this_process


def test_a_zombie_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    was = process_of(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(was)
    child.wait()
    assert not is_alive(was)
    assert process_of(child.pid) == Process(child.pid, 0)


def test_one_that_is_no_process() -> None:
    assert not is_alive(Process(1 << 60, 5))
    ours = threading.get_native_id()
    assert process_of(ours).start == this_process().start
