"""What a capture tells of the kernel's log."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tui.host.capture.kernel_events import kernel_events
from tui.host.kernel_log import KEPT

XID = "NVRM: Xid (PCI:0000:01:00): {}, pid=1234, name=secret"


@pytest.fixture
def log() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The ends at which a log is written and read; each message is one record."""
    writer, reader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reader.setblocking(False)
    with writer, reader:
        yield writer, reader


def told(log: tuple[socket.socket, socket.socket], *records: tuple[float, str, int]) -> str:
    writer, reader = log
    for number, (at_s, text, priority) in enumerate(records):
        writer.send(f"{priority},{number},{round(at_s * 1e6)},-;{text}\n".encode())
    return kernel_events(lambda: os.dup(reader.fileno()))


def test_messages_have_their_time_and_no_text(log: tuple[socket.socket, socket.socket]) -> None:
    text = told(
        log,
        (1.5, "usb 1-1: SerialNumber: 0123secret", 6),
        (2.25, XID.format(31), 3),
        (3.0, XID.format(31), 12),  # a process wrote it
        (9.125, "vfio-pci 0000:02:00.0: not ready 65535ms after FLR; giving up", 4),
    )
    assert text == "2.250 xid 0000:01:00 31\n9.125 no-answer 0000:02:00.0 FLR\n"


def test_a_message_that_is_repeated_is_told_once_a_minute(
    log: tuple[socket.socket, socket.socket],
) -> None:
    """By the time in the log, which is read all at once."""
    text = told(log, *((at, XID.format(31), 3) for at in (0.0, 1.0, 59.0, 61.0, 62.0)))
    assert [line.split()[0] for line in text.splitlines()] == ["0.000", "61.000"]


def test_the_last_messages_are_told(log: tuple[socket.socket, socket.socket]) -> None:
    text = told(log, *((at, XID.format(100 + at), 3) for at in range(KEPT + 10)))
    assert [line.split()[-1] for line in text.splitlines()] == [
        str(100 + at) for at in range(10, KEPT + 10)
    ]


def test_an_empty_log_tells_nothing(log: tuple[socket.socket, socket.socket]) -> None:
    assert told(log) == ""
