"""The kernel's command line, compared with a transcription of the kernel's own C."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host.readiness.kernel_options import options, parameters

BLANKS = b" \t\n\v\f\r"


def next_arg(args: bytearray, at: int) -> tuple[bytes, bytes | None, int]:
    """lib/cmdline.c of Linux 6.12, statement by statement; ``args`` ends with a NUL."""
    in_quote = quoted = False
    equals = 0
    if args[at] == ord('"'):
        at += 1
        in_quote = quoted = True
    i = 0
    while args[at + i]:
        if args[at + i] in BLANKS and not in_quote:
            break
        if equals == 0 and args[at + i] == ord("="):
            equals = i
        if args[at + i] == ord('"'):
            in_quote = not in_quote
        i += 1
    value = None
    if equals:
        args[at + equals] = 0
        value = at + equals + 1
        if args[value] == ord('"'):
            value += 1
            if args[at + i - 1] == ord('"'):
                args[at + i - 1] = 0
    if quoted and i > 0 and args[at + i - 1] == ord('"'):
        args[at + i - 1] = 0
    end = at + i
    if args[end]:
        args[end] = 0
        end += 1
    while args[end] and args[end] in BLANKS:
        end += 1
    return string(args, at), None if value is None else string(args, value), end


def string(args: bytearray, at: int) -> bytes:
    return bytes(args[at : args.index(0, at)])


def by_the_kernel(text: str) -> list[tuple[str, str | None]]:
    """kernel/params.c, parse_args, without its end at ``--``."""
    args = bytearray(text.encode() + b"\0\0")
    at, found = 0, []
    while args[at] in BLANKS and args[at]:
        at += 1
    while args[at]:
        name, value, at = next_arg(args, at)
        found.append((name.decode(), None if value is None else value.decode()))
    return found


@given(st.text(alphabet='ab="= \t-_,.\n', max_size=40))
def test_as_the_kernel_reads_it(text: str) -> None:
    assert list(parameters(text)) == by_the_kernel(text)


@given(st.text(max_size=200))
def test_any_text_is_options_that_can_be_drawn(text: str) -> None:
    for option in options(text, "/proc/cmdline"):
        assert option.text.isprintable()
        assert "-" not in option.name


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("quiet  intel_iommu=on\n", [("quiet", None), ("intel_iommu", "on")]),
        ('dyndbg="file x +p" ro', [("dyndbg", "file x +p"), ("ro", None)]),
        ('"a b=c d" e', [("a b", "c d"), ("e", None)]),
        ("nvidia-drm.modeset=1", [("nvidia_drm.modeset", "1")]),
        ("iommu=off -- iommu=pt", [("iommu", "off")]),
        ("--x", [("__x", None)]),
        ("=x a==b", [("=x", None), ("a", "=b")]),
        ("", []),
    ],
)
def test_what_people_write(text: str, found: list[tuple[str, str | None]]) -> None:
    assert [(o.name, o.value) for o in options(text, "/proc/cmdline")] == found


def test_where_an_option_stands() -> None:
    (running,) = options("quiet", "/proc/cmdline")
    (written,) = options("quiet", "/etc/default/\x1bgrub", 7)
    assert running.place == "/proc/cmdline"
    assert written.place == r"/etc/default/\x1bgrub, line 7"
