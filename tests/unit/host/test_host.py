"""Closing a host: everything is closed, and nothing waits for a source that hangs."""

from __future__ import annotations

import threading

from msgspec.structs import replace

from tests.ui.rig import Held, Rig
from tui.model import HostFacts


class Stubborn(Held[HostFacts]):
    """A source whose ``close`` hangs until the test allows it to return."""

    def __init__(self) -> None:
        super().__init__(HostFacts("tower", "6.12.30"))
        self.let_go = threading.Event()

    def close(self) -> None:
        self.let_go.wait()


def test_a_source_that_hangs_in_close_delays_nothing_else() -> None:
    rig, stubborn = Rig(), Stubborn()
    rig.nvml.free.clear()
    host = replace(rig.host, facts=stubborn)
    host.close(timeout=0.1)  # would otherwise wait forever
    assert rig.nvml.free.is_set()  # its close was called
    stubborn.let_go.set()
