"""What can be done about a captured host: by its owner, on it, and not by a key pressed here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from tui.model import Check, Readiness

_BY_KEY = re.compile(r"\b(?:press|choose it with|change that with) [a-z], or ")
_BY_ROOT = re.compile(r"\brun (?:vfiotop|this) as root\b")
_OF_THIS_MACHINE = "in the configuration"
_OF_ITS_OWN = "in a configuration for this host (--config FILE)"


def of_its_owner(checks: Iterable[Check], readiness: Readiness) -> tuple[Check, ...]:
    """The checks, on a captured host with those mends that its owner can apply."""
    if not readiness.captured:
        return tuple(checks)
    return tuple(check if check.mend is None else _told(check, check.mend) for check in checks)


def _told(check: Check, mend: str) -> Check:
    mend = _BY_ROOT.sub("capture it as root", _BY_KEY.sub("", mend))
    mend = mend.replace(_OF_THIS_MACHINE, _OF_ITS_OWN)
    return replace(check, mend=mend)
