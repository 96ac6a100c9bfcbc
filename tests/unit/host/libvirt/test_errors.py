"""libvirt's errors as sentences."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest

from tui.host.libvirt.errors import (
    is_local,
    is_local_qemu,
    is_refusal,
    why_lost,
    why_not_open,
    why_unread,
)
from tui.host.tree import PlainTree

SYSTEM = "qemu:///system"


@dataclass(frozen=True)
class Error:
    """The part of libvirtError that is used, without libvirt."""

    code: int
    int1: int = -1
    domain: int = 7
    message: str | None = "it said"

    def get_error_code(self) -> int:
        return self.code

    def get_error_domain(self) -> int:
        return self.domain

    def get_int1(self) -> int:
        return self.int1

    def get_error_message(self) -> str | None:
        return self.message


@pytest.mark.parametrize(
    ("error", "uri", "words"),
    [
        (Error(38, errno.ENOENT), SYSTEM, ("not running", "systemctl start libvirtd", "virtqemud")),
        (Error(38, errno.ECONNREFUSED), SYSTEM, ("not running", "systemctl start libvirtd")),
        (Error(38, errno.ECONNREFUSED), "qemu+tcp://pc/system", ("not be reached", "it said")),
        (Error(38, errno.EACCES), SYSTEM, ("access to qemu:///system is denied", "group libvirt")),
        (Error(45), SYSTEM, ("is denied", "group libvirt")),
        (Error(88), SYSTEM, ("is denied", "group libvirt")),
        (Error(94), SYSTEM, ("is denied", "group libvirt")),
        (Error(45), "qemu+tcp://pc/system", ("refused access", "credentials")),
        (Error(5), "garbage", ("understand the URI garbage", "--connect")),
        (Error(1, domain=45), "http://[", ("understand the URI http://[", "--connect")),
        (Error(68), SYSTEM, ("could not be reached", "it said")),
        (Error(1, message=None), SYSTEM, ("could not be reached", "no reason given")),
    ],
)
def test_why_a_connection_does_not_open(
    tmp_path: Path, error: Error, uri: str, words: tuple[str, ...]
) -> None:
    sentence = why_not_open(error, uri, PlainTree(tmp_path))
    assert all(word in sentence for word in words), sentence


def test_what_libvirt_says_is_made_safe_to_draw() -> None:
    hostile = Error(68, message="\x1b[31mred\n" + "x" * 1000)
    for sentence in (
        why_not_open(hostile, "a\x1b]0;b"),
        why_lost(hostile, "a\x1b]0;b"),
        why_unread(hostile),
    ):
        assert sentence.isprintable()
        assert len(sentence) < 300


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (Error(38, errno.EACCES), True),
        (Error(38, errno.EPERM), True),
        (Error(38, errno.ENOENT), False),
        (Error(29), True),
        (Error(79), True),
        (Error(39, errno.EACCES), False),
    ],
)
def test_a_refusal(error: Error, refusal: bool) -> None:
    assert is_refusal(error) is refusal


@pytest.mark.parametrize(
    ("uri", "local", "local_qemu"),
    [
        ("qemu:///system", True, True),
        ("qemu+unix:///session?socket=/run/s", True, True),
        ("qemu+ssh://pc/system", False, False),
        ("qemu+ssh://me@[::1]:22/system", False, False),
        ("qemu+ext:///system?command=/bin/x", False, False),
        ("qemu+tcp:///system", False, False),
        ("test:///default", True, False),
        ("", True, False),
        ("http://[", False, False),
    ],
)
def test_whose_libvirt_a_uri_means(uri: str, local: bool, local_qemu: bool) -> None:
    assert (is_local(uri), is_local_qemu(uri)) == (local, local_qemu)
