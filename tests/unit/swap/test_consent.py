"""A plan is executed only as it was shown."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tui.model import Check, Plan, Step, Verdict
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent
from tui.swap.consent import consent_to, digest, require_consent

CARD = "0000:02:00.0"


def plan(**verdicts: Verdict) -> Plan:
    checks = tuple(Check(name, CARD, each, f"about {name}") for name, each in verdicts.items())
    return Plan("bind", CARD, (CARD,), (Step("load", "vfio-pci", 5.0),), checks)


def left(made: Plan, consent: Consent) -> tuple[str, ...]:
    """Return the checks that still need an answer."""
    try:
        require_consent(made, consent)
    except Doubtful as error:
        ids = tuple(check.partition(":")[0] for check in error.checks)
        assert all(f"about {each} ({each})" in str(error) for each in ids)
        return ids
    return ()


def test_what_passes_is_no_question() -> None:
    require_consent(plan(a="pass"), Consent())
    require_consent(plan(a="pass"), consent_to(plan(a="pass")))


def test_what_fails_is_refused_whatever_was_accepted() -> None:
    for consent in (Consent(everything=True), Consent(accepted=frozenset({"a:fail"}))):
        with pytest.raises(Refused, match="about a") as caught:
            require_consent(plan(a="fail"), consent)
        assert not isinstance(caught.value, Doubtful)


def test_who_was_shown_nothing_is_asked_for_doubts_only() -> None:
    made = plan(a="warn", b="unknown", c="unknown")
    assert left(made, Consent()) == ("b", "c")
    assert left(made, Consent(accepted=frozenset({"b:unknown"}))) == ("c",)
    assert left(made, Consent(everything=True)) == ()


def test_a_warning_that_was_not_shown_is_asked_for() -> None:
    assert left(plan(a="warn", b="warn"), consent_to(plan(a="warn", b="pass"))) == ("b",)
    assert left(plan(a="warn", b="unknown"), consent_to(plan(a="warn", b="unknown"))) == ("b",)
    assert left(plan(b="unknown"), consent_to(plan(b="unknown"), doubts=True)) == ()
    assert left(plan(b="unknown"), consent_to(plan(b="unknown")).and_also(["b:unknown"])) == ()


def test_a_warning_that_was_accepted_is_no_leave_not_to_know() -> None:
    assert left(plan(a="unknown"), consent_to(plan(a="warn"))) == ("a",)
    assert left(plan(a="warn"), consent_to(plan(a="unknown"), doubts=True)) == ("a",)


def test_everything_is_everything_but_what_is_forbidden() -> None:
    made = plan(a="warn", b="unknown")
    require_consent(made, replace(consent_to(made), accepted=frozenset(), everything=True))


def test_another_plan_is_refused() -> None:
    made = plan(a="pass")
    for change in ({"moves": ()}, {"steps": ()}, {"address": "0000:03:00.0"}):
        other = replace(made, **change)
        assert digest(other) != digest(made)
        with pytest.raises(Refused, match="so has the plan"):
            require_consent(other, consent_to(made))


def test_the_message_says_whether_it_is_known_and_what_helps() -> None:
    with pytest.raises(Doubtful, match=r"^needs confirmation: about a"):
        require_consent(plan(a="warn"), replace(consent_to(plan(a="pass"))))
    for made in (plan(a="unknown"), plan(a="warn", b="unknown")):
        with pytest.raises(Doubtful, match=r"^cannot tell whether it is safe: about "):
            require_consent(made, Consent(digest(made)))
    helped = replace(plan(), checks=(Check("a", CARD, "fail", "it is so", "do this"),))
    with pytest.raises(Refused, match=r"^it is so: do this \(a\)$"):
        require_consent(helped, Consent())
    with pytest.raises(Refused, match=r"^about a \(a\)$"):
        require_consent(plan(a="fail"), Consent())
