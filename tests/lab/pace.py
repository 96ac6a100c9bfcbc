"""How much slower than the machine that it runs on a machine of the lab is, here and now: an
emulated processor, and others that run beside it. Times that users are promised are for a
machine that is not emulated; what is measured in the lab is judged by its pace."""

from __future__ import annotations

import json
import os
import time
from statistics import median

NATIVE = "LAB_NATIVE_PACE"
"""The environment's variable that tells ``stride`` of the machine outside, in seconds."""

ROUNDS, STRIDES = 40, 7

_PLAIN = [{"address": f"0000:{n:02x}:00.0", "size": n, "names": ["a", "b"]} for n in range(100)]


def stride() -> float:
    """The seconds of a piece of Python as a reading is made of; the middle of some."""
    return median(_one() for _ in range(STRIDES))


def _one() -> float:
    began = time.perf_counter()
    for _ in range(ROUNDS):
        found = json.loads(json.dumps(_PLAIN))
        sorted(f"{each['address']} {'-'.join(each['names'])}".upper() for each in found)
    return time.perf_counter() - began


def slowness() -> float:
    """How many times as long as outside everything takes now."""
    return max(1.0, stride() / float(os.environ[NATIVE]))
