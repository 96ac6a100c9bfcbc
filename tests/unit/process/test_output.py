"""Output is safe for a terminal, fits the locale, and never raises."""

from __future__ import annotations

import errno
import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.process import output
from tui.process.output import Channel, json_text, printable, short

ACTS = "".join(
    [*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u200b\u200f\u2028\u2029\u202e\u2066"]
) + "\ufeff\udc9b\U000e0001"  # fmt: skip
TEXTS = st.text(st.characters() | st.sampled_from(ACTS), max_size=40)


def acts(text: str, *, lines: bool = False) -> list[str]:
    """Characters that control a terminal or reorder text; an independent oracle."""
    return [
        c
        for c in text
        if (ord(c) < 32 and not (lines and c == "\n")) or 0x7F <= ord(c) < 0xA0
        or 0xD800 <= ord(c) < 0xE000 or c in ACTS.replace("\n", "")
    ]  # fmt: skip


@given(TEXTS)
def test_no_control_character_gets_through(text: str) -> None:
    assert acts(printable(text)) == []
    assert acts(printable(text, lines=True), lines=True) == []
    assert printable(text, lines=True).count("\n") == text.count("\n")
    printable(text).encode()  # no lone surrogate either


def test_escapes_are_readable() -> None:
    assert printable("a\x1b[31m\u202e\x9b\udcff\tb") == r"a\x1b[31m\u202e\x9b\udcff\tb"
    assert printable("“ä” – 日本 → 7 °C") == "“ä” – 日本 → 7 °C"


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("ascii_only", [False, True])
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
        max_leaves=8,
    )
)
def test_json_decodes_to_the_same_values(
    value: object, indent: int | None, ascii_only: bool
) -> None:
    text = json_text(value, indent, ascii_only=ascii_only)
    assert json.loads(text) == value
    assert acts(text, lines=indent is not None) == []
    assert text.isascii() or not ascii_only


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "koi8-r", "gbk", "utf-8"])
@given(TEXTS)
def test_any_text_fits_every_locale(encoding: str, text: str) -> None:
    data = printable(text).encode(encoding, "vfiotop.ascii")
    assert acts(data.decode(encoding)) == []


def test_characters_a_locale_lacks_are_spelled_in_ascii() -> None:
    said = "“bind” – → 73 °C … 日".encode("ascii", "vfiotop.ascii")
    assert said == b'"bind" - -> 73 C ... ?'
    assert "73 °C “x”".encode("latin-1", "vfiotop.ascii") == '73 °C "x"'.encode("latin-1")


def test_a_quotation_is_shortened() -> None:
    assert short("x" * 40) == "x" * 40
    assert short("x" * 1_000_000) == "x" * 39 + "…"


def test_an_error_is_one_bounded_line(capfd: pytest.CaptureFixture[str]) -> None:
    output.report_error("a\nb\x1b[31m" + "\x1b" * 1_000_000)
    printed = capfd.readouterr().err
    assert printed.startswith(r"vfiotop: a b\x1b[31m")
    assert printed.count("\n") == 1
    assert len(printed) <= output.LINE_LIMIT + 1


def test_say_line_escapes_newlines_and_say_keeps_them(capfd: pytest.CaptureFixture[str]) -> None:
    output.say_line("a\nb")
    output.say("a\nb\x1b")
    assert capfd.readouterr().out == "a\\nb\na\nb\\x1b\n"


def test_a_full_disk_is_recorded() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    channel = Channel(descriptor)
    channel.write("x")
    os.close(descriptor)
    assert channel.lost is not None
    assert channel.lost.errno == errno.ENOSPC
    channel.write("y")  # to a descriptor that may be another file's by now
    assert channel.lost.errno == errno.ENOSPC


def test_a_closed_pipe_is_recorded() -> None:
    reader, writer = os.pipe()
    channel = Channel(writer)
    channel.write("x")
    assert channel.lost is None
    os.close(reader)
    channel.write("y")
    os.close(writer)
    assert channel.lost is not None
    assert channel.lost.errno == errno.EPIPE


def test_a_non_blocking_pipe_gets_everything() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    text = "0123456789abcdef" * 65_536  # more than a pipe holds
    channel = Channel(writer)

    def write() -> None:
        channel.write(text)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reader, encoding="ascii") as file:
        assert file.read() == text
    thread.join()
    assert channel.lost is None
