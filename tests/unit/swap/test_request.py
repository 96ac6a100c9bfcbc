"""A request is parsed back as it was written, and nothing else is a request."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.model.errors import Refused
from tui.model.requests import Consent, SwapRequest, new_identity
from tui.swap.request import ACCEPTED_LIMIT, BadRequest, parse, words

CARD = "0000:02:00.0"
ID = "0" * 32

IDS = st.integers(0, (1 << 128) - 1).map(lambda number: f"{number:032x}")
CONSENTS = st.builds(
    Consent,
    st.none() | st.integers(0, (1 << 64) - 1).map(lambda number: f"{number:016x}"),
    st.frozensets(
        st.builds("{}:{}".format, st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True),
                  st.sampled_from(["warn", "unknown"])), max_size=5,
    ),
    everything=st.booleans(),
)  # fmt: skip
REQUESTS = st.one_of(
    st.builds(
        SwapRequest, st.sampled_from(["bind", "unbind"]), st.just(CARD), st.none(), CONSENTS, IDS,
        st.sampled_from(["user", "watch"]),
    ),
    st.builds(SwapRequest, st.sampled_from(["finish", "undo"]), st.none(), IDS, CONSENTS, IDS),
)  # fmt: skip


@given(REQUESTS)
def test_it_is_read_back(request_: SwapRequest) -> None:
    assert parse(words(request_)) == request_


@given(REQUESTS)
def test_it_needs_no_quotes(request_: SwapRequest) -> None:
    """sudo logs it, a sudoers rule can match it, and a shell does not change it."""
    assert shlex.join(words(request_)) == " ".join(words(request_))


@given(st.lists(st.text(max_size=40), max_size=10))
def test_any_words_are_no_request(words: list[str]) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(words)
    assert str(caught.value).isprintable()


FOREIGN = [
    [], ["bind"], ["bind", CARD], ["start", f"address={CARD}", f"id={ID}"],
    ["bind", f"address={CARD}"], ["bind", f"id={ID}"],
    ["bind", f"address={CARD}", f"address={CARD}", f"id={ID}"],
    ["bind", f"swap={ID}", f"id={ID}"], ["undo", f"address={CARD}", f"id={ID}"],
    ["bind", f"address={CARD}", f"swap={ID}", f"id={ID}"],
    ["bind", "address=02:00.0", f"id={ID}"], ["bind", f"address={CARD}\n", f"id={ID}"],
    ["bind", "address=../../..", f"id={ID}"], ["bind", f"address={CARD}/x", f"id={ID}"],
    ["bind", "address=٠000:02:00.0", f"id={ID}"], ["bind", "address=0000:02:00.8", f"id={ID}"],
    ["bind", f"address={CARD}", "id=1"], ["bind", f"address={CARD}", f"id={ID.replace('0', 'G')}"],
    ["bind", f"address={CARD}", f"id={ID}", "plan=x"],
    ["bind", f"address={CARD}", f"id={ID}", "accept="],
    ["bind", f"address={CARD}", f"id={ID}", "accept=holders:fail"],
    ["bind", f"address={CARD}", f"id={ID}", "accept=holders:unknown,"],
    ["bind", f"address={CARD}", f"id={ID}", "accept=--config"],
    ["bind", f"address={CARD}", f"id={ID}", "doubts=yes"],
    ["bind", f"address={CARD}", f"id={ID}", "connect=qemu+ext:///system?command=/x"],
    ["bind", f"address={CARD}", f"id={ID}", "--config=/tmp/x"],
    ["bind", f"address={CARD}", f"id={ID}", "root=/"],
    ["bind", f"address={CARD}", f"id={ID}", "accept=" + "x" * 3000],
]  # fmt: skip


@pytest.mark.parametrize("words", FOREIGN)
def test_nothing_else_is_a_request(words: list[str]) -> None:
    with pytest.raises(Refused):
        parse(words)


def test_nobody_accepts_more_than_there_is() -> None:
    points = ",".join(f"c{n}:warn" for n in range(ACCEPTED_LIMIT + 1))
    with pytest.raises(BadRequest, match="more checks than there are"):
        parse(["bind", f"address={CARD}", f"id={ID}", f"accept={points}"])


def test_each_has_a_name_of_its_own() -> None:
    first = SwapRequest("bind", CARD)
    more = first.accepting(["holders:unknown"])
    assert len({first.identity, more.identity, new_identity()}) == 3
    assert more.consent.accepted == {"holders:unknown"}
    assert (first.text, SwapRequest("undo", swap=ID).text) == (f"bind {CARD}", "recover --undo")
