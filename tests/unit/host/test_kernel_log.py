"""The reader of /dev/kmsg: records, what is kept of them, and what happens when it cannot read.

A packet socket stands for the device: it gives one record per read(2), too.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host import HostError
from tui.host.kernel_log import (
    BURST,
    KEPT,
    LOST_QUIET_S,
    Follower,
    KernelLogSource,
    Record,
    drained,
    open_at_end,
    record,
)
from tui.host.tree import PlainTree
from tui.model import KernelLog, KernelMessage
from tui.rules.kernel_log import NO_RIGHT

PATIENCE = 30.0

XID = "NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus."
ASLEEP = (
    "vfio-pci 0000:02:00.0: Unable to change power state from D3cold to D0, device inaccessible"
)


def raw(number: int, text: str, priority: int = 3) -> bytes:
    return f"{priority},{number},5140900,-;{text}\n".encode()


# --- records ----------------------------------------------------------------------


def test_a_record_of_a_device() -> None:
    data = b"6,339,5140900,-,caller=T7;pci 0000:01:00.0: x\n SUBSYSTEM=pci\n"
    assert record(data + b" DEVICE=+pci:0000:01:00.0\n") == Record(
        0, 339, "pci 0000:01:00.0: x", 5.1409
    )


def test_what_a_process_wrote_has_another_facility() -> None:
    assert record(b"12,340,1,-;NVRM: x\n") == Record(1, 340, "NVRM: x", 1e-6)


def test_escaped_bytes_are_bytes_again() -> None:
    assert record(b"3,1,2,c;a\\x0ab\\x5cx41\\xc3\\xa9 \\xff\\xZZ\n") == Record(
        0, 1, "a\nb\\x41é \ufffd\\xZZ", 2e-6
    )


@pytest.mark.parametrize(
    "data", [b"", b"x", b"3,1,2;t", b"3,1,-2,-;t", b"3,,1,-;t", b"3,1,2,-\n;t"]
)
def test_what_is_no_record(data: bytes) -> None:
    assert record(data) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_taken(data: bytes) -> None:
    found = record(data)
    assert found is None or (found.facility >= 0 and found.number >= 0)


@given(
    priority=st.integers(0, 191), number=st.integers(0, 2**64 - 1),
    text=st.text(max_size=80), properties=st.lists(st.text("ABC=x", max_size=8), max_size=3),
)  # fmt: skip
def test_what_the_kernel_writes_is_read_back(
    priority: int, number: int, text: str, properties: list[str]
) -> None:
    escaped = "".join(
        chr(b) if 32 <= b < 127 and b != ord("\\") else f"\\x{b:02x}"
        for b in text.encode("utf-8", "surrogatepass")
    )
    data = f"{priority},{number},1,-;{escaped}\n" + "".join(f" {each}\n" for each in properties)
    read = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    assert record(data.encode()) == Record(priority >> 3, number, read, 1e-6)


# --- what is kept -----------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_only_what_matters_is_kept_and_no_text_of_it() -> None:
    follower = Follower()
    assert not follower.take(Record(0, 1, "usb 1-1: new high-speed USB device"))
    assert not follower.take(Record(1, 2, XID))
    assert follower.take(Record(0, 3, XID))
    assert follower.log == KernelLog((KernelMessage(3, "off-bus", "0000:01:00"),))


def test_the_same_again_is_no_news_for_a_while() -> None:
    clock = Clock()
    follower = Follower(clock)
    assert follower.take(Record(0, 1, XID))
    assert not follower.take(Record(0, 2, XID))
    assert not follower.take(Record(0, 3, "NVRM: GPU 0000:01:00.0: GPU has fallen off the bus."))
    assert follower.take(Record(0, 4, XID.replace("01:00", "02:00")))
    assert follower.take(Record(0, 5, ASLEEP))
    clock.now += 61
    assert follower.take(Record(0, 6, XID))
    assert [message.number for message in follower.log.messages] == [1, 4, 5, 6]


def test_a_storm_is_bounded() -> None:
    follower = Follower()
    for number in range(KEPT + 20):
        follower.take(
            Record(
                0, number, f"vfio-pci 0000:{number:02x}:00.0: not ready 9ms after FLR; giving up"
            )
        )
    assert [message.number for message in follower.log.messages] == list(range(20, KEPT + 20))


def test_overwritten_records_are_counted_and_said_once_in_a_while() -> None:
    clock = Clock()
    follower = Follower(clock)
    assert not follower.take(Record(0, 10, "x"))
    assert follower.take(Record(0, 14, "x"))
    assert follower.log.lost == 3
    assert not follower.take(Record(0, 20, "x"))
    assert follower.log.lost == 3
    clock.now += LOST_QUIET_S + 1
    assert follower.take(Record(0, 21, "x"))
    assert follower.log.lost == 8


def test_records_that_never_end_leave_the_reader_a_rest() -> None:
    numbers = iter(range(10 * BURST))
    drained(lambda: raw(next(numbers), "x"), Follower())
    assert next(numbers) == BURST


def test_a_read_that_fails_because_records_were_lost_goes_on() -> None:
    answers: list[bytes | OSError] = [
        raw(1, "x"), OSError(errno.EPIPE, "overwritten"), raw(5, XID),
        OSError(errno.EINVAL, "too long"), raw(7, "x"), BlockingIOError(),
    ]  # fmt: skip

    def read() -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    follower = Follower()
    assert drained(read, follower)
    assert answers == []
    assert follower.log == KernelLog((KernelMessage(5, "off-bus", "0000:01:00"),), lost=3)


# --- the source -------------------------------------------------------------------


class Device:
    """A log that a test writes."""

    def __init__(self) -> None:
        self._writer, self._reader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._reader.setblocking(False)
        self._number = 0
        self.woken = threading.Semaphore(0)
        self.source = KernelLogSource(lambda: os.dup(self._reader.fileno()))
        self.source.watch(self.woken.release)

    def write(self, text: str, priority: int = 3) -> None:
        self._writer.send(raw(self._number, text, priority))
        self._number += 1

    def end(self) -> None:
        self._writer.close()

    def close(self) -> None:
        self.source.close()
        self._writer.close()
        self._reader.close()

    def wait(self) -> None:
        assert self.woken.acquire(timeout=PATIENCE)


@pytest.fixture
def device() -> Iterator[Device]:
    found = Device()
    yield found
    found.close()


def reader() -> threading.Thread | None:
    return next((t for t in threading.enumerate() if t.name == "kernel-log"), None)


def test_a_message_wakes_the_sampler_and_other_lines_do_not(device: Device) -> None:
    assert device.source.read() == KernelLog()
    device.write("usb 1-1: new device")
    device.write(XID, priority=12)
    device.write(ASLEEP)
    device.wait()
    assert device.source.read() == KernelLog(
        (KernelMessage(2, "asleep", "0000:02:00.0", "D3cold"),)
    )
    device.write(XID)
    device.wait()
    assert [message.number for message in device.source.read().messages] == [2, 3]
    assert not device.woken.acquire(blocking=False)


def test_closing_ends_its_thread(device: Device) -> None:
    thread = reader()
    assert thread is not None
    device.source.close()
    device.source.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_log_that_ends_is_unavailable(device: Device) -> None:
    device.end()
    device.wait()
    with pytest.raises(HostError, match="cannot be read: /dev/kmsg: No such device"):
        device.source.read()


def failing(number: int) -> Callable[[], int]:
    def fail() -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_defect_does_not_leave_a_log_that_only_looks_read(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: bytes) -> None:
        raise ImportError("the program was removed meanwhile")

    monkeypatch.setattr("tui.host.kernel_log.record", fail)
    device.write(XID)
    device.wait()
    with pytest.raises(HostError, match="vfiotop failed here"):
        device.source.read()


@pytest.mark.parametrize(
    ("number", "restrict", "why"),
    [
        (errno.EPERM, "1\n", NO_RIGHT),
        (errno.EPERM, "0\n", "cannot be read: /dev/kmsg: Operation not permitted"),
        (errno.EPERM, None, "cannot be read: /dev/kmsg: Operation not permitted"),
        (errno.EACCES, "1\n", "cannot be read: /dev/kmsg: Permission denied"),
        (errno.ENOENT, "1\n", "cannot be read: /dev/kmsg: No such file"),
    ],
)
def test_a_log_that_cannot_be_opened_says_why(
    number: int, restrict: str | None, why: str, tmp_path: Path
) -> None:
    folder = tmp_path / "proc/sys/kernel"
    folder.mkdir(parents=True)
    if restrict is not None:
        (folder / "dmesg_restrict").write_text(restrict)
    source = KernelLogSource(failing(number), PlainTree(tmp_path))
    source.watch(lambda: None)
    with pytest.raises(HostError, match=why):
        source.read()
    source.close()


# --- the device itself ------------------------------------------------------------


@pytest.fixture
def written() -> Iterator[Callable[[str], int]]:
    """Write a line to the log of this machine, as root may."""
    try:
        log = os.open("/dev/kmsg", os.O_WRONLY | os.O_CLOEXEC)
        os.close(open_at_end())
    except OSError as error:
        pytest.skip(f"/dev/kmsg: {error.strerror}")
    yield lambda text: os.write(log, text.encode())
    os.close(log)


def test_the_kernels_own_device(written: Callable[[str], int]) -> None:
    """It is read from its end, and a process cannot pass for the kernel."""
    written("<0>vfiotop test: before\n")
    log = open_at_end()
    try:
        with pytest.raises(BlockingIOError):
            os.read(log, 8192)
        written("<0>vfiotop test: a line\twith a tab\n")
        found = record(os.read(log, 8192))
    finally:
        os.close(log)
    assert found is not None
    assert (found.facility, found.text) == (1, "vfiotop test: a line\twith a tab")
