"""Samples PCI functions as the application does, inside a umockdev testbed.

Writes a JSON object to stdout per reading: the monotonic time of its delivery and the driver of
each function. The argument selects the source of events: udev or kernel. At the end of stdin it
closes the source and reports whether the listening thread has ended.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from tui.host.pci import udev
from tui.host.pci.source import PciSource
from tui.model import Inventory, Sample
from tui.sampler import Sampler


def deliver(sample: Sample) -> None:
    assert isinstance(sample.reading, Inventory), sample.reading
    drivers = {f.address: f.driver for f in sample.reading.functions}
    print(json.dumps({"at": time.monotonic(), "drivers": drivers}), flush=True)


def main() -> None:
    udev.UDEVD = Path("/") if sys.argv[1] == "udev" else Path("/nowhere")
    source = PciSource()
    sampler = Sampler("pci", source, deliver, None, lambda: datetime.now(UTC))
    sampler.start()
    sys.stdin.read()
    listener = next(thread for thread in threading.enumerate() if thread.name == "udev")
    source.close()
    source.close()
    listener.join(timeout=60)
    print(json.dumps({"listening": listener.is_alive()}), flush=True)


main()
