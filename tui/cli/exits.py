"""Exit codes, and how an error becomes one line on stderr and one of them."""

from __future__ import annotations

from tui.config import ConfigError
from tui.host import Unsettled
from tui.model.errors import VfiotopError
from tui.process import output

DONE = 0
FAILED = 1
"""Refused or failed; the host is consistent."""

USAGE = 2
"""Wrong usage, or a configuration that cannot be used."""

STUCK = 3
"""Stuck, outcome not known yet, or the user has to act."""


class UsageError(VfiotopError):
    """A command line that makes no sense; the message says what would."""


def fail(message: str, code: int) -> int:
    """Print an error as one line on stderr and return its exit code."""
    output.report_error(message)
    return code


def report(error: VfiotopError) -> int:
    """Print an error of ours as one line on stderr and return the exit code of its kind."""
    return fail(str(error), code_of(error))


def code_of(error: VfiotopError) -> int:
    """The exit code for an error of ours."""
    if isinstance(error, ConfigError | UsageError):
        return USAGE
    return STUCK if isinstance(error, Unsettled) else FAILED
