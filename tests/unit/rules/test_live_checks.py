"""What the header sums up: the checks of the rules, and the guest GPU's group."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.made import snapshot, two_cards
from tui.model import Verdict, Viability
from tui.rules.live_checks import with_group
from tui.rules.view import assess

CARD = "0000:02:00.0"


@pytest.mark.parametrize(
    ("viable", "verdict"), [(True, "pass"), (False, "fail"), (None, "unknown")]
)
def test_a_group_that_is_blocked_is_no_pass(viable: bool | None, verdict: Verdict) -> None:
    view = assess(snapshot(two_cards("vfio-pci")))
    gpu = view.guest_gpu
    assert gpu is not None
    changed = replace(gpu, viability=Viability(viable, (CARD,), reason="blocked"))
    others = tuple(each for each in view.gpus if each is not gpu)
    last = with_group(replace(view, gpus=(changed, *others)))[-1]
    assert (last.id, last.subject, last.verdict) == ("iommu.viable", CARD, verdict)


def test_without_a_guest_gpu_there_is_no_group() -> None:
    view = assess(snapshot(two_cards("vfio-pci")))
    alone = replace(view, gpus=())
    assert with_group(alone) == view.checks
