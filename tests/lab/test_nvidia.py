"""The stand-in for NVIDIA's kernel module hangs as the real one does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.lab.host import (
    DEVICES,
    PATIENCE,
    driver,
    held,
    kernel_log,
    node,
    slot,
    unbinding,
    until,
    waits_in,
)

pytestmark = [pytest.mark.only("two-slots"), pytest.mark.usefixtures("with_the_host")]

CARD = slot(2)
ENTRY = Path("/proc/driver/nvidia/gpus", CARD)
WAITS = f"NVRM: Attempting to remove device {CARD} with non-zero usage count!"


def test_it_tells_who_it_is() -> None:
    assert "  580.105.08  " in Path("/proc/driver/nvidia/version").read_text()
    assert {node(slot(1)), node(CARD)} == {"/dev/nvidia0", "/dev/nvidia1"}
    assert Path("/dev/nvidiactl").is_char_device()


def test_a_free_card_leaves_at_once() -> None:
    said = len(kernel_log())
    assert unbinding(CARD).wait() == 0
    assert not ENTRY.exists()
    assert WAITS not in kernel_log()[said:]


@pytest.mark.parametrize("by", ["fd", "mapping"])
def test_a_card_in_use_is_not_released(by: str) -> None:
    said = len(kernel_log())
    with held(node(CARD), by):
        writer = unbinding(CARD)
        until(lambda: WAITS in kernel_log()[said:])
        assert (driver(CARD), ENTRY.exists()) == (None, True)
        writer.kill()
        assert writer.hangs()
    assert writer.wait() == -SIGKILL
    assert (driver(CARD), ENTRY.exists()) == (None, False)


def test_a_reader_of_driver_override_hangs_with_it() -> None:
    with held(node(CARD)):
        writer = unbinding(CARD)
        until(writer.hangs)
        reader = subprocess.Popen(["cat", DEVICES / CARD / "driver_override"])
        until(lambda: waits_in("driver_override_show", reader.pid))
    assert writer.wait() == 0
    assert reader.wait(PATIENCE) == 0


def test_nvml_says_that_the_card_is_lost() -> None:
    asks = """
import sys, pynvml
pynvml.nvmlInit()
card = pynvml.nvmlDeviceGetHandleByPciBusId(sys.argv[1])
print(pynvml.nvmlDeviceGetMinorNumber(card), flush=True)
sys.stdin.readline()
try:
    pynvml.nvmlDeviceGetTemperature(card, 0)
except pynvml.NVMLError as error:
    print(error, flush=True)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", asks, CARD],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        assert f"/dev/nvidia{child.stdout.readline().strip()}" == node(CARD)
        writer = unbinding(CARD)
        until(writer.hangs)
        assert child.communicate("\n", PATIENCE)[0] == "GPU is lost\n"
        assert writer.wait() == 0
    finally:
        child.kill()  # it holds the card
