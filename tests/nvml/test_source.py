"""The NVML source: real pynvml on the stand-in library, in the real child process."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Literal

import pynvml
import pytest

from tests.nvml.build import build
from tests.nvml.conftest import ONE, TWO, Machine, card, failure, held_by, is_gone
from tests.thorough import thorough
from tests.values import NVML_METRICS
from tui.host import NothingToRead, NothingYet
from tui.host.calls import CallLog
from tui.host.idle import IDLE_AFTER, SUSPEND_GRACE
from tui.host.nvml.exits import CARD_LEFT
from tui.host.nvml.probe import why_not_visible
from tui.host.nvml.reply import NvmlFailed
from tui.host.nvml.source import RELEASED, NvmlSource
from tui.model import Demand, GpuProcess
from tui.rules.driver_gates import RESERVED


def test_reads_every_metric_of_every_card(machine: Machine) -> None:
    machine.control(
        f"{ONE} name NVIDIA GeForce RTX 4090", f"{ONE} util 37", f"{ONE} mem_util 12",
        f"{ONE} mem_used {1240 << 20}", f"{ONE} mem_total {24564 << 20}", f"{ONE} temp 54",
        f"{ONE} temp_limit 83",
        f"{ONE} fan 30", f"{ONE} power 35200", f"{ONE} power_limit 450000", f"{ONE} clock 1807",
        f"{ONE} mem_clock 10501", f"{ONE} gen 3", f"{ONE} gen_max 4", f"{ONE} width 8",
        f"{ONE} width_max 16", f"{ONE} enc 5", f"{ONE} dec 3", f"{ONE} throttle 0x24",
        "* driver 580.95.05",
    )  # fmt: skip
    reading = machine.source().read()
    assert reading.driver_version == "580.95.05"
    assert [c.address for c in reading.cards] == [ONE, TWO]
    seen = card(reading)
    assert seen.name == "NVIDIA GeForce RTX 4090"
    metrics = seen.metrics
    assert (metrics.util_pct, metrics.mem_util_pct, metrics.temp_c, metrics.fan_pct) == (
        37, 12, 54, 30,
    )  # fmt: skip
    assert (metrics.mem_used_mib, metrics.mem_total_mib) == (1240, 24564)
    assert (metrics.power_w, metrics.power_limit_w, metrics.temp_limit_c) == (35.2, 450, 83)
    assert (metrics.clock_mhz, metrics.mem_clock_mhz) == (1807, 10501)
    assert (metrics.pcie_gen, metrics.pcie_gen_max) == (3, 4)
    assert (metrics.pcie_width, metrics.pcie_width_max) == (8, 16)
    assert (metrics.enc_pct, metrics.dec_pct) == (5, 3)
    assert metrics.throttle == ("power cap", "thermal")


def test_a_changed_value_is_in_the_next_reading_of_the_same_child(machine: Machine) -> None:
    source = machine.source()
    machine.control(f"{ONE} util 10")
    assert card(source.read()).metrics.util_pct == 10
    pid = source.pid
    machine.control(f"{ONE} util 90")
    assert card(source.read()).metrics.util_pct == 90
    assert source.read() == source.read()
    assert source.pid == pid


@pytest.mark.parametrize("value", ["unsupported", "denied", "na"])
def test_what_a_card_does_not_give_is_none(machine: Machine, value: str) -> None:
    machine.control(f"{ONE} fan {value}", f"{ONE} enc {value}", f"{ONE} power {value}")
    metrics = card(machine.source().read()).metrics
    assert (metrics.fan_pct, metrics.enc_pct, metrics.power_w) == (None, None, None)
    assert metrics.temp_c is not None


def test_an_older_library_without_functions(machine: Machine, tmp_path: Path) -> None:
    target = tmp_path / "older"
    target.mkdir()
    old = build(
        target,
        missing=(
            "nvmlDeviceGetEncoderUtilization", "nvmlDeviceGetMemoryInfo_v2",
            "nvmlDeviceGetTemperatureV", "nvmlDeviceGetCurrentClocksEventReasons",
        ),
    )  # fmt: skip
    metrics = card(machine.source(old).read()).metrics
    assert metrics.enc_pct is None
    assert metrics.dec_pct is not None
    assert metrics.mem_total_mib == 24564
    assert metrics.temp_c is not None
    assert metrics.throttle is not None


def test_a_missing_library_says_what_to_install(machine: Machine, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    source = machine.source(empty / "libnvidia-ml.so.1")
    assert "libnvidia-ml.so.1 is missing; install" in failure(source)
    machine.now += 5
    assert "libnvidia-ml.so.1 is missing; install" in failure(source)
    assert source.pid is None  # not tried again at once


def test_library_and_module_of_different_versions(machine: Machine) -> None:
    machine.control("* init mismatch")
    assert "reboot" in failure(machine.source())


def test_processes_of_a_card(machine: Machine) -> None:
    me = os.getpid()
    name = Path("/proc/self/comm").read_text().strip()
    machine.control(
        f"{ONE} util 36", f"{ONE} process none", f"{ONE} process graphics {me} 210",
        f"{ONE} process compute {me} 210", f"{ONE} process compute 4194303 na",
        f"{TWO} process none",
    )  # fmt: skip
    reading = machine.source().read()
    assert card(reading).processes == (
        GpuProcess(me, name, "graphics, compute", 210, 12),
        GpuProcess(4194303, "process 4194303", "compute", None, 12),
    )
    assert card(reading, TWO).processes == ()


@pytest.mark.parametrize("pid", [0, 4294967295, 2147483648])
def test_a_process_with_a_pid_that_none_can_have_takes_no_card_away(
    machine: Machine, pid: int
) -> None:
    machine.control(
        f"{ONE} process none", f"{ONE} process graphics {pid} 5", f"{ONE} process compute 77 5"
    )
    reading = machine.source().read()
    assert card(reading, TWO).metrics.temp_c is not None
    first, more = card(reading).processes or ()
    assert (first.pid, more) == (77, GpuProcess(None, "and 1 more", "not listed"))


def test_a_load_of_processes_that_is_not_reported_takes_no_card_away(machine: Machine) -> None:
    """The NVML call for it may fail with an error that no other call has."""
    machine.control(
        f"{ONE} util unknown", f"{ONE} process none", f"{ONE} process graphics 77 5",
    )  # fmt: skip
    found = card(machine.source().read())
    assert (found.problem, found.metrics.util_pct) == (None, None)
    assert found.metrics.temp_c is not None
    assert [process.util_pct for process in found.processes or ()] == [None]


ALL = (
    "util", "mem_used", "mem_total", "temp", "temp_limit", "fan", "power", "power_limit", "clock",
    "mem_clock", "gen", "gen_max", "width", "width_max", "enc", "dec", "throttle",
)  # fmt: skip


@pytest.mark.parametrize("error", ["unknown", *thorough("denied", "unsupported", "na")])
def test_an_error_of_one_call_takes_nothing_else_away(machine: Machine, error: str) -> None:
    source = machine.source()
    machine.control()
    whole = {name for name in NVML_METRICS if getattr(card(source.read()).metrics, name) is None}
    assert whole == set()
    for word in ALL:
        machine.control(f"{ONE} {word} {error}", f"{ONE} process none")
        found = card(machine.source().read())
        missing = [name for name in NVML_METRICS if getattr(found.metrics, name) is None]
        assert found.problem is None
        assert 1 <= len(missing) <= 2, (word, missing)


def test_hostile_strings_are_made_safe(machine: Machine) -> None:
    machine.control(f"{ONE} name \\x1b[31mred\\xff\\x07[bold]", "* driver \\x1b]0;title\\x07 1")
    reading = machine.source().read()
    name = card(reading).name
    assert name is not None
    assert "[31mred" in name
    assert name.isprintable()
    assert reading.driver_version is not None
    assert reading.driver_version.isprintable()


# --- what it holds -------------------------------------------------------------


def test_no_child_without_a_card_on_nvidia(machine: Machine) -> None:
    machine.unbind(ONE)
    machine.unbind(TWO)
    source = machine.source()
    with pytest.raises(NothingYet, match="no card is on the nvidia driver"):
        source.read()
    assert source.pid is None


def test_a_machine_without_the_driver_at_all(machine: Machine) -> None:
    machine.unbind(ONE)
    machine.unbind(TWO)
    (machine.sys / "bus/pci/drivers/nvidia").rmdir()
    with pytest.raises(NothingToRead):
        machine.source().read()


def test_the_child_alone_holds_the_cards(machine: Machine) -> None:
    source = machine.source()
    source.read()
    assert held_by(source.pid) == {"nvidiactl", "nvidia0", "nvidia1"}
    assert held_by(os.getpid()) == set()


def test_the_child_exits_when_a_card_leaves_its_driver(machine: Machine) -> None:
    source = machine.source()
    source.read()
    before = source.pid
    assert before is not None
    machine.unbind(ONE)
    reading = source.read()
    assert is_gone(before)
    assert [c.address for c in reading.cards] == [TWO]
    machine.unbind(TWO)
    after = source.pid
    assert after is not None
    with pytest.raises(NothingToRead):
        source.read()
    assert is_gone(after)
    machine.add(ONE)
    assert [c.address for c in source.read().cards] == [ONE]


def test_a_sleeping_card_is_not_touched(machine: Machine) -> None:
    machine.power(ONE, "suspended")
    source = machine.source()
    assert [c.address for c in source.read().cards] == [TWO]
    assert held_by(source.pid) == {"nvidiactl", "nvidia1"}
    machine.power(TWO, "suspended")
    pid = source.pid
    assert pid is not None
    with pytest.raises(NothingToRead, match="asleep"):
        source.read()
    assert is_gone(pid)


@pytest.mark.parametrize(
    "status", ["suspending", "resuming", "error", "unsupported", "active\x1b", "", "EIO", "folder"]
)
def test_a_card_that_is_not_known_to_be_awake_is_not_touched(machine: Machine, status: str) -> None:
    """The same rule as for a card's sysfs attributes: starting NVML would wake it."""
    machine.unbind(TWO)
    file = machine.sys / "bus/pci/devices" / ONE / "power/runtime_status"
    file.unlink()
    if status == "EIO":
        file.symlink_to("/proc/self/mem")  # its first page cannot be read
    elif status == "folder":
        file.mkdir()
    else:
        file.write_text(f"{status}\n")
    source = machine.source()
    with pytest.raises(NothingToRead, match="asleep"):
        source.read()
    assert source.pid is None


def test_without_power_management_no_card_sleeps(machine: Machine) -> None:
    machine.unbind(TWO)
    (machine.sys / "bus/pci/devices" / ONE / "power/runtime_status").unlink()
    assert [c.address for c in machine.source().read().cards] == [ONE]


def test_an_idle_card_that_may_sleep_is_released(machine: Machine) -> None:
    machine.unbind(TWO)
    machine.power(ONE, "active", "auto")
    machine.control(f"{ONE} util 0", f"{ONE} enc 0", f"{ONE} dec 0", f"{ONE} process none")
    source = machine.source()
    source.read()
    pid = source.pid
    assert pid is not None
    machine.now += IDLE_AFTER
    source.read()
    with pytest.raises(NothingToRead, match="idle"):
        source.read()
    assert is_gone(pid)
    machine.now += SUSPEND_GRACE
    assert card(source.read()).metrics.util_pct == 0


def test_an_idle_card_next_to_another_is_released_alone(machine: Machine) -> None:
    machine.power(TWO, "active", "auto")
    machine.control(f"{TWO} util 0", f"{TWO} enc 0", f"{TWO} dec 0", f"{TWO} process none")
    source = machine.source()
    source.read()
    machine.now += IDLE_AFTER
    assert source.read().released_idle == ()
    reading = source.read()
    assert ([c.address for c in reading.cards], reading.released_idle) == ([ONE], (TWO,))
    assert held_by(source.pid) == {"nvidiactl", "nvidia0"}


def test_release_ends_the_child_until_resume(machine: Machine) -> None:
    source = machine.source()
    source.read()
    pid = source.pid
    assert pid is not None
    assert source.release()
    assert is_gone(pid)
    assert "is released while a card moves" in failure(source)
    assert source.pid is None
    source.resume()
    assert source.read().cards


def test_no_child_runs_while_a_card_is_moved(machine: Machine) -> None:
    moving = [False]
    source = machine.source(swapping=lambda: moving[0])
    source.read()
    pid = source.pid
    assert pid is not None
    moving[0] = True
    with pytest.raises(NothingToRead, match="is released while a card moves"):
        source.read()
    assert is_gone(pid)
    moving[0] = False
    assert len(source.read().cards) == 2


def test_the_child_releases_a_card_that_leaves_without_being_asked(machine: Machine) -> None:
    source = machine.source()
    source.read()
    process = source._process
    assert process is not None
    machine.unbind(ONE)
    assert process._process.wait(60) == CARD_LEFT
    machine.add(ONE)  # it was away only for a moment
    with pytest.raises(NothingToRead, match="changing"):
        source.read()
    assert len(source.read().cards) == 2


@pytest.mark.parametrize("before", [False, True])
def test_the_child_leaves_for_a_swap_without_being_asked(machine: Machine, before: bool) -> None:
    if before:
        machine.journal_is_replaced()
    source = machine.source()
    source.read()
    process = source._process
    assert process is not None
    machine.journal_is_replaced()
    assert process._process.wait(60) == CARD_LEFT
    with pytest.raises(NothingToRead, match="changing"):
        source.read()
    assert len(source.read().cards) == 2  # with the journal as it is now


def test_the_child_leaves_where_the_journal_is_taken_away(machine: Machine) -> None:
    machine.journal_is_replaced()
    source = machine.source()
    source.read()
    process = source._process
    assert process is not None
    machine.journal.unlink()
    assert process._process.wait(60) == CARD_LEFT


def test_a_swap_that_begins_as_the_child_is_started(machine: Machine) -> None:
    """It begins right after the check that none is under way: the child opens nothing."""
    machine.control("* init hang")

    def swapping() -> bool:
        machine.journal_is_replaced()
        return False

    source = machine.source(swapping=swapping)
    with pytest.raises(NothingToRead, match="changing"):
        source.read()
    assert not machine.control_file.with_name("control.hangs").exists()


_SCREEN = """
import json, sys
from pathlib import Path
from tui.host.nvml.source import NvmlSource
root, journal = map(Path, sys.argv[1:3])
source = NvmlSource(root, journal=journal, environment=json.loads(sys.argv[3]))
source.read()
print(source.pid, flush=True)
sys.stdin.read()
"""


def test_the_child_of_a_screen_that_is_stopped_leaves_for_a_swap(machine: Machine) -> None:
    """ctrl+Z, SIGSTOP, or a screen that hangs: nobody is there to kill the child."""
    words = [str(machine.root), str(machine.journal), json.dumps(machine.environment())]
    with subprocess.Popen(
        [sys.executable, "-c", _SCREEN, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as screen:  # fmt: skip
        assert screen.stdout is not None
        pid = int(screen.stdout.readline())
        held = os.pidfd_open(pid)
        try:
            screen.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, screen.pid, os.WSTOPPED)
            assert held_by(pid) == {"nvidiactl", "nvidia0", "nvidia1"}
            machine.journal_is_replaced()
            assert select.select([held], [], [], 20)[0]  # it has ended
            assert held_by_now(pid) == set()
        finally:
            os.close(held)
            screen.kill()


def held_by_now(pid: int) -> set[str]:
    """What a process has open, also of one that has ended and is not reaped yet."""
    try:
        return held_by(pid)
    except OSError:
        return set()


def test_the_child_ends_with_its_parent(machine: Machine) -> None:
    source = machine.source()
    source.read()
    pid = source.pid
    assert pid is not None
    process = source._process
    assert process is not None
    process._requests.close()  # what the kernel does when we die
    assert process._process.wait(60) == 0


# --- what goes wrong -------------------------------------------------------------


@pytest.mark.parametrize(("fault", "words"), [("lost", "lost"), ("reset", "reset")])
def test_a_card_fails_and_is_read_again(machine: Machine, fault: str, words: str) -> None:
    source = machine.source()
    source.read()
    machine.control(f"{ONE} fault {fault}")
    reading = source.read()
    assert words in (card(reading).problem or "")
    assert card(reading).metrics.util_pct is None
    assert card(reading, TWO).problem is None
    machine.control()
    for _ in range(50):
        if card(source.read()).problem is None:
            break
    assert card(source.read()).metrics.util_pct is not None


Outcome = Literal["lost", "failed", "no values", "NVML failed"]

OUTCOMES: dict[str, tuple[Outcome, Outcome]] = {
    "UNINITIALIZED": ("NVML failed", "NVML failed"),
    "DRIVER_NOT_LOADED": ("NVML failed", "NVML failed"),
    "GPU_IS_LOST": ("lost", "lost"),
    "NOT_SUPPORTED": ("failed", "no values"),
    "NO_PERMISSION": ("failed", "no values"),
    "FUNCTION_NOT_FOUND": ("failed", "no values"),
    "ARGUMENT_VERSION_MISMATCH": ("failed", "no values"),
    "DEPRECATED": ("failed", "no values"),
    "INVALID_ARGUMENT": ("failed", "failed"),
    "ALREADY_INITIALIZED": ("failed", "failed"),
    "NOT_FOUND": ("failed", "failed"),
    "INSUFFICIENT_SIZE": ("failed", "failed"),
    "INSUFFICIENT_POWER": ("failed", "failed"),
    "TIMEOUT": ("failed", "failed"),
    "IRQ_ISSUE": ("failed", "failed"),
    "LIBRARY_NOT_FOUND": ("failed", "failed"),
    "CORRUPTED_INFOROM": ("failed", "failed"),
    "RESET_REQUIRED": ("failed", "failed"),
    "OPERATING_SYSTEM": ("failed", "failed"),
    "LIB_RM_VERSION_MISMATCH": ("failed", "failed"),
    "IN_USE": ("failed", "failed"),
    "MEMORY": ("failed", "failed"),
    "NO_DATA": ("failed", "failed"),
    "VGPU_ECC_NOT_SUPPORTED": ("failed", "failed"),
    "INSUFFICIENT_RESOURCES": ("failed", "failed"),
    "FREQ_NOT_SUPPORTED": ("failed", "failed"),
    "NOT_READY": ("failed", "failed"),
    "GPU_NOT_FOUND": ("failed", "failed"),
    "INVALID_STATE": ("failed", "failed"),
    "RESET_TYPE_NOT_SUPPORTED": ("failed", "failed"),
    "UNKNOWN": ("failed", "failed"),
}
"""What each error of NVML (nvmlReturn_t) means: for the card's handle, and for all its values."""


def outcome(source: NvmlSource) -> Outcome:
    try:
        found = card(source.read())
    except NvmlFailed:
        return "NVML failed"
    if found.lost is not None:
        return "lost"
    if found.failed is not None:
        return "failed"
    assert found.metrics.util_pct is None
    return "no values"


def test_the_table_has_every_error_of_nvml() -> None:
    names = {name for name in dir(pynvml) if name.startswith("NVML_ERROR_")}
    assert {f"NVML_ERROR_{name}" for name in OUTCOMES} == names


FEW = ("GPU_IS_LOST", "NOT_SUPPORTED", "NO_PERMISSION", "TIMEOUT", "UNKNOWN")


REST = [name for name in OUTCOMES if name not in FEW]


@pytest.mark.parametrize("error", [*FEW, *thorough(*REST)])
def test_only_one_error_means_that_a_card_is_lost(machine: Machine, error: str) -> None:
    fault = f"{ONE} fault error{getattr(pynvml, f'NVML_ERROR_{error}')}"
    for_handle, for_values = OUTCOMES[error]
    source = machine.source()
    source.read()
    machine.control(fault)
    assert outcome(source) == for_values
    source.close()
    assert outcome(machine.source()) == for_handle


def test_a_crash_is_reported_and_the_child_comes_back_later(machine: Machine) -> None:
    source = machine.source()
    source.read()
    machine.control(f"{ONE} fault crash")
    assert "ended by SIGSEGV" in failure(source)
    machine.control()
    assert "ended by SIGSEGV" in failure(source)  # not at once
    machine.now += 1.0
    assert card(source.read()).problem is None


def test_crashes_in_a_row_are_spaced(machine: Machine) -> None:
    machine.control("* fault crash")
    source = machine.source()
    starts = 0
    for _ in range(60):
        if source._process is None and source._failed_at != machine.now:
            before = source._failures
            failure(source)
            starts += source._failures != before
        machine.now += 1.0
    assert starts == 6  # at 0, 1, 3, 7, 15 and 31 seconds


def test_a_hang_is_reported_and_its_child_is_gone(machine: Machine) -> None:
    source = machine.source(timeout=2)
    source.read()
    pid = source.pid
    assert pid is not None
    machine.control(f"{ONE} fault hang")
    assert "did not answer within 2 s" in failure(source)
    assert is_gone(pid)
    machine.control()
    machine.now += 1.0
    assert source.read().cards


def test_a_hang_ends_early_when_the_card_leaves(machine: Machine) -> None:
    source = machine.source(timeout=60)
    source.read()
    machine.control(f"{ONE} fault hang")
    pid = source.pid
    assert pid is not None
    done: list[str] = []

    def read() -> None:
        try:
            source.read()
        except NothingToRead as error:  # nothing is wrong
            done.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    machine.await_hang()
    machine.unbind(ONE)
    thread.join(60)
    assert not thread.is_alive()
    assert done == ["the cards on the nvidia driver are changing"]
    assert is_gone(pid)
    machine.control()
    assert source.read().of(TWO) is not None  # at once: nothing has failed


def test_close_in_the_middle_of_a_hang(machine: Machine) -> None:
    source = machine.source(timeout=60)
    source.read()
    machine.control(f"{ONE} fault hang")
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.append(failure(source)))
    thread.start()
    machine.await_hang()
    source.close()
    thread.join(60)
    assert told == [RELEASED]
    assert source.pid is None


def test_a_killed_child(machine: Machine) -> None:
    source = machine.source()
    source.read()
    assert source.pid is not None
    os.kill(source.pid, signal.SIGKILL)
    assert "ended by SIGKILL" in failure(source)


def test_the_child_is_small(machine: Machine) -> None:
    source = machine.source()
    source.read()
    status = Path(f"/proc/{source.pid}/status").read_text()
    resident = next(int(row.split()[1]) for row in status.splitlines() if "VmRSS" in row)
    assert resident < 30 * 1024, f"{resident} KiB"


# --- asked once, after a swap ---------------------------------------------------


def test_a_card_that_nvml_sees(machine: Machine) -> None:
    environment = machine.environment()
    assert why_not_visible(TWO, 10, environment) is None
    machine.unbind(TWO)
    assert why_not_visible(TWO, 1, environment) == "NVML does not see it after 1 s"


def test_a_card_that_takes_a_moment(machine: Machine) -> None:
    machine.unbind(TWO)
    timer = threading.Timer(1.0, lambda: machine.add(TWO))
    timer.start()
    assert why_not_visible(TWO, 10, machine.environment()) is None
    timer.join()


def test_an_nvml_that_cannot_be_asked_is_no_fault_of_the_card(machine: Machine) -> None:
    machine.control("* init mismatch")
    assert why_not_visible(TWO, 10, machine.environment()) is None
    assert why_not_visible(TWO, 10, {"LD_LIBRARY_PATH": str(machine.root)}) is None


def test_an_nvml_that_hangs_is_not_waited_for(machine: Machine) -> None:
    machine.control("* init hang")
    assert why_not_visible(TWO, 1, machine.environment()) == "NVML did not answer within 1 s"


def test_the_load_of_each_process_where_the_driver_tells(machine: Machine) -> None:
    me = os.getpid()
    machine.control(f"{ONE} util 40", f"{ONE} process none", f"{ONE} process graphics {me} 210")
    (process,) = card(machine.source().read()).processes or ()
    assert (process.pid, process.memory_mib, process.util_pct) == (me, 210, 40)


# --- never in the way -----------------------------------------------------------


def test_the_calls_of_each_reading_are_counted(machine: Machine) -> None:
    calls = CallLog()
    source = machine.source(calls=calls)
    source.read()
    first = calls.last_minute()["nvml"]
    source.read()
    second = calls.last_minute()["nvml"] - first
    # Two cards, 15 values each; the first reading adds the start, the handles and fixed values.
    assert 2 * 15 <= second < first <= 2 * 16 + 20


def with_driver(machine: Machine, version: str) -> None:
    (machine.sys / "module/nvidia").mkdir(parents=True)
    proc = machine.root / "proc/driver/nvidia"
    proc.mkdir(parents=True)
    text = f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Mon Jan  5\n"
    (proc / "version").write_text(text)


def test_from_595_on_the_card_that_is_for_a_guest_is_not_held(machine: Machine) -> None:
    with_driver(machine, "595.45.04")
    source = machine.source()
    assert failure(source) == RESERVED
    assert source.pid is None
    source.set_demand(Demand(reserved=(TWO,)))
    reading = source.read()
    assert [c.address for c in reading.cards] == [ONE]
    assert reading.reserved_for_guest == (TWO,)
    assert held_by(source.pid) == {"nvidiactl", "nvidia0"}


def test_before_595_it_is(machine: Machine) -> None:
    with_driver(machine, "580.105.08")
    source = machine.source()
    source.set_demand(Demand(reserved=(TWO,)))
    reading = source.read()
    assert ([c.address for c in reading.cards], reading.reserved_for_guest) == ([ONE, TWO], ())


def test_what_nobody_looks_at_is_released(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.host.nvml.source.UNWATCHED_S", 0.05)
    source = machine.source()
    source.read()
    pid = source.pid
    assert pid is not None
    source.set_demand(Demand(shown=False))
    deadline = time.monotonic() + 60
    while not is_gone(pid):
        assert time.monotonic() < deadline
    source.set_demand(Demand(shown=True))
    assert len(source.read().cards) == 2
    assert source.pid != pid


def test_whoever_watches_again_in_time_finds_the_same_child(machine: Machine) -> None:
    source = machine.source()
    source.read()
    pid = source.pid
    source.set_demand(Demand(shown=False))
    source.set_demand(Demand(shown=True))
    source.read()
    assert source.pid == pid
