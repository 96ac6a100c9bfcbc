"""The request of an ordinary user to the privileged half, as words on a command line.

A request is the only thing that crosses from the user to root. It is a few words on a command
line, so that sudo's log shows them and a rule in sudoers(5) can match them:

    bind address=0000:02:00.0 id=5f0c… plan=41b7… accept=holders:unknown
    undo swap=5f0c… id=77aa…

Root checks every character here before it uses anything. Then it checks what the request says on
the machine: a request never carries a result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tui.model.address import ADDRESS
from tui.model.errors import Refused
from tui.model.requests import Consent, Requester, SwapAction, SwapRequest

WORDS_LIMIT = 8
WORD_LIMIT = 2048
ACCEPTED_LIMIT = 32

_IDENTITY = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_CONSENT_KEY = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}:(?:warn|unknown)")

_TARGET_KEY: dict[SwapAction, str] = {
    "bind": "address", "unbind": "address", "finish": "swap", "undo": "swap"
}  # fmt: skip
"""The key that each action requires."""


class BadRequest(Refused):
    """The words are not a valid request."""


def words(request: SwapRequest) -> list[str]:
    """Return the request as words for a command line; ``parse`` reads them."""
    return [request.action, *(f"{key}={value}" for key, value in _pairs(request))]


def _pairs(request: SwapRequest) -> Iterator[tuple[str, str]]:
    consent = request.consent
    if request.address is not None:
        yield "address", request.address
    if request.swap is not None:
        yield "swap", request.swap
    yield "id", request.identity
    if consent.plan is not None:
        yield "plan", consent.plan
    if consent.accepted:
        yield "accept", ",".join(sorted(consent.accepted))
    if consent.everything:
        yield "doubts", "accepted"
    if request.by == "watch":
        yield "by", request.by


def parse(words: Sequence[str]) -> SwapRequest:
    """Parse ``words``. Raises ``BadRequest``."""
    if not 2 <= len(words) <= WORDS_LIMIT or any(len(word) > WORD_LIMIT for word in words):
        raise BadRequest("this is not a request that vfiotop makes")
    action = _action(words[0])
    found: dict[str, str] = {}
    for word in words[1:]:
        key, separator, value = word.partition("=")
        if not separator or key in found or key not in _VALUES:
            raise BadRequest("this is not a request that vfiotop makes")
        if _VALUES[key].fullmatch(value) is None:
            raise BadRequest(f"the request's {key} is malformed")
        found[key] = value
    missing = {"id", _TARGET_KEY[action]} - found.keys()
    foreign = {"address", "swap"} - {_TARGET_KEY[action]}
    if missing or foreign & found.keys():
        raise BadRequest(f"a request to {action} needs an id and its {_TARGET_KEY[action]}")
    accepted = frozenset(found.get("accept", "").split(",")) - {""}
    if len(accepted) > ACCEPTED_LIMIT:
        raise BadRequest("the request accepts more checks than there are")
    consent = Consent(found.get("plan"), accepted, everything="doubts" in found)
    by: Requester = "watch" if "by" in found else "user"
    return SwapRequest(action, found.get("address"), found.get("swap"), consent, found["id"], by)


def _action(word: str) -> SwapAction:
    for action in _TARGET_KEY:
        if word == action:
            return action
    raise BadRequest("this is not a request that vfiotop makes")


_VALUES = {
    "address": ADDRESS,
    "swap": _IDENTITY,
    "id": _IDENTITY,
    "plan": _DIGEST,
    "accept": re.compile(rf"{_CONSENT_KEY.pattern}(?:,{_CONSENT_KEY.pattern})*"),
    "doubts": re.compile("accepted"),
    "by": re.compile("watch"),
}
"""The keys of a request, and the pattern of each value."""
