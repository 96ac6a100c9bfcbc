"""How much slower a machine of the lab is than the machine it runs on, now: its CPU is emulated,
and others run in parallel. Promised times hold for real machines, so the lab scales what it
measures by its pace."""

from __future__ import annotations

import json
import os
import time
from statistics import median

NATIVE = "LAB_NATIVE_PACE"
"""The environment variable with the ``stride`` of the outer machine, in seconds."""

ROUNDS, STRIDES = 40, 7

_PLAIN = [{"address": f"0000:{n:02x}:00.0", "size": n, "names": ["a", "b"]} for n in range(100)]


def stride() -> float:
    """The median time in seconds of a piece of Python typical of a reading."""
    return median(_one() for _ in range(STRIDES))


def _one() -> float:
    began = time.perf_counter()
    for _ in range(ROUNDS):
        found = json.loads(json.dumps(_PLAIN))
        sorted(f"{each['address']} {'-'.join(each['names'])}".upper() for each in found)
    return time.perf_counter() - began


def slowness() -> float:
    """How many times slower than the outer machine this one is now."""
    return max(1.0, stride() / float(os.environ[NATIVE]))
