"""Carries out what the watch decides, as a user would with a key: plan, preflight, runner."""

from __future__ import annotations

from tui.host import Host, HostError, Unsettled
from tui.host.journal.entry import JournalError
from tui.host.untrusted import clean
from tui.model import Direction
from tui.model.errors import Refused
from tui.model.requests import Consent, SwapRequest
from tui.rules.roles import Choice
from tui.swap.consent import require_consent
from tui.swap.launch import REASON_LIMIT
from tui.swap.planning import plan_once
from tui.watch.policies import Outcome


def move(host: Host, direction: Direction, address: str) -> Outcome:
    """Have the card at ``address`` moved. Blocks until the swap has begun or was refused.

    No doubt is waived: what could not be checked is a refusal. A swap that may or may not have
    begun counts as begun, so that it is not asked for twice.
    """
    try:
        # The readings for a plan close the sources that they come from.
        again = host.opened_again()
        plan = plan_once(again, Choice(address), direction, address)
        require_consent(plan, Consent())
        host.mover.begin(SwapRequest(direction, address, consent=Consent(), by="watch"))
    except Unsettled as error:
        return Outcome(True, clean(str(error), REASON_LIMIT))
    except (Refused, HostError, JournalError) as error:
        return Outcome(False, clean(str(error), REASON_LIMIT))
    except Exception as error:  # a bug of ours must not leave the watch waiting
        text = clean(repr(error), REASON_LIMIT)
        return Outcome(True, f"vfiotop failed here ({text}); please report it")
    return Outcome(True)
