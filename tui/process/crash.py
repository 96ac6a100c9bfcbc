"""Turns an unexpected exception into one line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tui.process import output

FAILED, STUCK = 1, 3

MAYBE_DONE = "It may have been done anyway: check with `vfiotop status` and `vfiotop recover`"

_SYSTEM_LIMITS = {
    errno.EMFILE: "too many files are open: raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOMEM: "not enough memory: raise the limit (`ulimit -v`), or free some",
    errno.EAGAIN: "no more processes or threads can be started: raise the limit (`ulimit -u`, "
    "`ulimit -v`, or pids.max of the control group)",
}
"""Sentences for limits of the system, by errno."""


class OutcomeUnknown(Exception):
    """Something failed after an action may have begun; ``__cause__`` says what."""


@contextmanager
def may_have_begun(*expected: type[Exception]) -> Iterator[None]:
    """A context in which an action begins: an unexpected error raises ``OutcomeUnknown``."""
    try:
        yield
    except expected:
        raise
    except Exception as error:
        raise OutcomeUnknown from error


def report_unexpected(error: Exception) -> int:
    """Print an unexpected error in one line, after its traceback if VFIOTOP_DEBUG=1. Returns the
    exit code."""
    cause = error.__cause__ if isinstance(error, OutcomeUnknown) and error.__cause__ else error
    if debugging():
        import traceback  # noqa: PLC0415

        for line in "".join(traceback.format_exception(cause)).splitlines():
            output.note(line)
    if isinstance(error, OutcomeUnknown):
        output.report_error(f"{describe(cause)}. {MAYBE_DONE}")
        return STUCK
    output.report_error(describe(cause))
    return FAILED


def debugging() -> bool:
    """Whether VFIOTOP_DEBUG asks for tracebacks."""
    return os.environ.get("VFIOTOP_DEBUG", "0") not in ("", "0")


def describe(error: BaseException) -> str:
    """What failed and what to do, in a sentence."""
    reached = system_limit(error)
    if reached is not None:
        return reached
    if isinstance(error, RecursionError):
        return "some input is nested too deeply; VFIOTOP_DEBUG=1 shows where"
    if isinstance(error, ImportError):
        return f"a part of vfiotop cannot be loaded ({error}); reinstall vfiotop"
    what = f"{type(error).__name__}: {output.short(str(error), 200)}"
    return f"an unexpected error ({what}); please report it with the output of VFIOTOP_DEBUG=1"


def silence_tracebacks() -> None:
    """Keep Python from printing tracebacks of dying threads and of object finalisers, which would
    garble the screen. VFIOTOP_DEBUG=1 keeps them."""
    if not debugging():
        sys.unraisablehook = lambda _unraisable: None
        threading.excepthook = lambda _arguments: None


def system_limit(error: BaseException) -> str | None:
    """The sentence for an error that is a limit of the system; ``None`` for other errors."""
    if isinstance(error, MemoryError) or "failed to map segment" in str(error):  # ld.so(8)
        return _SYSTEM_LIMITS[errno.ENOMEM]
    if isinstance(error, OSError):
        return _SYSTEM_LIMITS.get(error.errno or 0)
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return _SYSTEM_LIMITS[errno.EAGAIN]
    return None
