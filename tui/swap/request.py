"""What an ordinary user may ask the privileged half for, and how that is written.

A request is the only thing that crosses from the user to root. It is a handful of words on
a command line, so that sudo's log and a rule in sudoers(5) can tell one from another:

    bind address=0000:02:00.0 id=5f0c… plan=41b7… accept=holders:unknown
    undo swap=5f0c… id=77aa…

Everything in it is checked here, letter by letter, before root does anything with it. What
it says is then checked again on the machine: a request never carries an outcome.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tui.swap.consent import Consent, Refused

Deed = Literal["bind", "unbind", "finish", "undo"]
"""``finish`` and ``undo`` are for a swap that was interrupted."""

WORDS_LIMIT = 8
WORD_LIMIT = 2048
ACCEPTED_LIMIT = 32

_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
_IDENTITY = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_POINT = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}:(?:warn|unknown)")

_WANTED: dict[Deed, str] = {
    "bind": "address", "unbind": "address", "finish": "swap", "undo": "swap"
}  # fmt: skip
"""What each deed has to name."""


class BadRequest(Refused):
    """Words that are no request."""


def new_identity() -> str:
    """The name of a request; a swap that it begins bears it in the journal."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Request:
    """A swap of the GPU at ``address``, or the recovery of the ``swap`` with that id.

    ``identity`` is chosen by who asks, so that an answer which was lost can be looked up in
    the journal. ``consent`` is what the user was shown and has agreed to.
    """

    deed: Deed
    address: str | None = None
    swap: str | None = None
    consent: Consent = field(default_factory=Consent)
    identity: str = field(default_factory=new_identity)

    @property
    def recovers(self) -> bool:
        return self.deed in ("finish", "undo")

    @property
    def text(self) -> str:
        """What is asked for, as a person would type it."""
        return f"recover --{self.deed}" if self.recovers else f"{self.deed} {self.address}"

    def accepting(self, points: Collection[str]) -> Request:
        """A new request, with the consent to these too."""
        consent = self.consent.and_also(points)
        return replace(self, consent=consent, identity=new_identity())

    def words(self) -> list[str]:
        """The request as a command line; ``parse`` reads it."""
        return [self.deed, *(f"{key}={value}" for key, value in self._pairs())]

    def _pairs(self) -> Iterator[tuple[str, str]]:
        if self.address is not None:
            yield "address", self.address
        if self.swap is not None:
            yield "swap", self.swap
        yield "id", self.identity
        if self.consent.plan is not None:
            yield "plan", self.consent.plan
        if self.consent.accepted:
            yield "accept", ",".join(sorted(self.consent.accepted))
        if self.consent.everything:
            yield "doubts", "accepted"


def parse(words: Sequence[str]) -> Request:
    """The request that ``words`` are. Raises ``BadRequest``."""
    if not 2 <= len(words) <= WORDS_LIMIT or any(len(word) > WORD_LIMIT for word in words):
        raise BadRequest("this is not a request that vfiotop makes")
    deed = _deed(words[0])
    found: dict[str, str] = {}
    for word in words[1:]:
        key, separator, value = word.partition("=")
        if not separator or key in found or key not in _VALUES:
            raise BadRequest("this is not a request that vfiotop makes")
        if _VALUES[key].fullmatch(value) is None:
            raise BadRequest(f"the request's {key} is malformed")
        found[key] = value
    missing = {"id", _WANTED[deed]} - found.keys()
    foreign = {"address", "swap"} - {_WANTED[deed]}
    if missing or foreign & found.keys():
        raise BadRequest(f"a request to {deed} needs an id and its {_WANTED[deed]}")
    accepted = frozenset(found.get("accept", "").split(",")) - {""}
    if len(accepted) > ACCEPTED_LIMIT:
        raise BadRequest("the request accepts more checks than there are")
    consent = Consent(found.get("plan"), accepted, everything="doubts" in found)
    return Request(deed, found.get("address"), found.get("swap"), consent, found["id"])


def _deed(word: str) -> Deed:
    for deed in _WANTED:
        if word == deed:
            return deed
    raise BadRequest("this is not a request that vfiotop makes")


_VALUES = {
    "address": _ADDRESS,
    "swap": _IDENTITY,
    "id": _IDENTITY,
    "plan": _DIGEST,
    "accept": re.compile(rf"{_POINT.pattern}(?:,{_POINT.pattern})*"),
    "doubts": re.compile("accepted"),
}
"""The keys of a request, and what each value looks like."""
