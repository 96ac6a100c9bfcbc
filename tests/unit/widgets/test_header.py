"""The line on top: who has the card first, and warnings that are never dropped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.widgets.drawn import ONLY_RICH, text
from tests.unit.widgets.guests import AT
from tests.unit.widgets.hosts import GAMING
from tests.values import replace
from tui.model import Check, HostView, Owner, OwnerKind, Swap, Watch
from tui.model.watch import AtBoot, WatchPolicy
from widgets.glyphs import PLAIN, RICH
from widgets.header import checks_forms, header_line, short_banner
from widgets.lines import width_of

DEMO = "Simulated host: gaming"
CHECKS = tuple(Check(f"check.{n}", None, "pass", "fine") for n in range(16))
HOST = replace(GAMING, checks=CHECKS)


def header(width: int, view: HostView = HOST, **facts: Any) -> str:
    """The line of a terminal ``width`` cells wide, which keeps a blank at each side."""
    return text(
        header_line(view, AT, width - 2, **({"banner": DEMO, "checks": view.checks} | facts))
    )


def test_120_cells() -> None:
    assert header(120, replace(HOST, checks=CHECKS[:6])) == (
        "vfiotop  tower  RTX 4090 ◆ in win11  2 h 00 min   d ✓ 6 live checks  "
        "IOMMU amd  libvirt 11.3.0  Simulated host: gaming"
    )


def test_200_cells_have_all_facts() -> None:
    assert header(200).endswith(
        "  IOMMU amd, 32 groups  Linux 6.12.48-amd64  libvirt 11.3.0  Simulated host: gaming"
    )


def test_80_cells() -> None:
    assert header(80) == (
        "vfiotop tower  4090 ◆ in win11  2 h 00 min  d ✓ 16      Simulated host: gaming"
    )


def test_phones() -> None:
    assert header(45) == "tower 4090 ◆ in win11 2 h 00   d ✓ 16  demo"
    assert header(40) == "4090 ◆ in win11 2 h 00       d ✓  demo"
    assert header(36) == "4090 ◆ in win11 2 h 00   d ✓  demo"


def with_watch(at_boot: AtBoot = "keep", **facts: Any) -> HostView:
    """The host with a watch that unbinds, changed by ``facts``."""
    watch = Watch(True, True, WatchPolicy(after_stop="unbind", at_boot=at_boot))
    return replace(HOST, watch=replace(watch, **facts))


def test_what_the_watch_does_in_as_many_words_as_fit() -> None:
    assert "d ✓ 16 live checks  watch: unbinds after the guest  " in header(126, with_watch())
    assert "d ✓ 16 live checks  watch: unbinds  " in header(120, with_watch())
    both = header(200, with_watch("bind"))
    assert "d ✓ 16 live checks  watch: unbinds after the guest, binds at boot  " in both
    assert header(80, with_watch(), banner=None).endswith("  d ✓ 16 live checks  watch: unbinds")
    assert header(80, with_watch()) == header(80), "the banner leaves it no room"
    assert header(45, with_watch()) == header(45)


def test_a_watch_that_moves_nothing_only_tells() -> None:
    for watch in (with_watch(acts=False), with_watch(policy=WatchPolicy())):
        assert "watch: tells only" in header(120, watch)


@pytest.mark.parametrize("width", [36, 45, 80, 120, 200])
def test_a_watch_that_ended_is_a_warning_at_every_width(width: int) -> None:
    drawn = header_line(with_watch(running=False), AT, width - 2, banner=DEMO, checks=CHECKS)
    assert [span.tone for span in drawn if span.text == "watch ended"] == ["warn"]
    assert width_of(drawn) <= width - 2


def test_a_watch_that_was_stopped_is_no_news() -> None:
    drawn = header_line(
        with_watch(running=False, stopped=True), AT, 118, banner=DEMO, checks=CHECKS
    )
    assert "watch" not in "".join(span.text for span in drawn)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("host", "● on host"), ("vfio", "○ free"), ("none", "– no driver"), ("stuck", "✗ stuck"),
     ("unknown", "? unknown")],
)  # fmt: skip
def test_owners(kind: OwnerKind, words: str) -> None:
    gpu = replace(GAMING.gpus[0], owner=Owner(kind), guest_uuid=None)
    assert f"4090 {words}  d ✓" in header(80, replace(HOST, gpus=(gpu,)))


def test_a_swap_says_how_far_it_is() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    gpu = replace(GAMING.gpus[0], owner=Owner("moving"), guest_uuid=None)
    swap = Swap("1", "bind", gpu.address, (gpu.address,), "running", ("a",) * 8, 5, at, at)
    view = replace(HOST, gpus=(gpu,), swap=swap)
    assert "4090 ◐ bind 6/8  d ✓" in header(80, view)
    undoing = replace(view, swap=replace(swap, state="undoing"))
    assert "4090 ◐ undo bind  d ✓" in header(80, undoing)
    by_another_program = replace(view, swap=replace(swap, state="done"))
    assert "4090 ◐ moving  d ✓" in header(80, by_another_program)


def test_the_owner_has_its_tone_and_flashes() -> None:
    line = header_line(HOST, AT, 118)
    assert [span.tone for span in line if "in win11" in span.text] == ["guest"]
    flashing = header_line(HOST, AT, 118, flash=True)
    assert [span.text for span in flashing if span.tone == "flash"] == ["◆ in win11"]


def test_the_worst_check_is_named_where_it_fits() -> None:
    def forms(*verdicts: Any) -> list[str]:
        checks = [Check(f"r465.{n}", None, v, "why") for n, v in enumerate(verdicts)]
        return [text(form) for form in checks_forms(checks)]

    assert forms("pass") == ["d ✓ 1 live check", "d ✓ 1", "d ✓"]
    assert forms("pass", "fail", "fail", "warn") == ["d ✗ r465.1", "d ✗ 2", "d ✗"]
    assert forms("unknown", "warn") == ["d ! r465.1", "d ! 1", "d !"]
    assert forms("pass", "unknown") == ["d ? r465.1", "d ? 1", "d ?"]
    assert forms() == ["d checks", "d"]
    broken = replace(HOST, checks=(Check("r465.one-vm", None, "fail", "why"),))
    assert "d ✗ r465.one-vm  " in header(120, broken)
    assert "d ✗ 1  " in header(80, broken)


def test_warnings_take_the_room_of_the_rest() -> None:
    slow = "slow link: up to 3 s old"
    assert header(80, notices=("quiet",)).endswith("  quiet  Simulated host: gaming")
    assert header(45, notices=(slow,), banner=None).endswith(slow)
    assert header(30, notices=(slow,), banner=None) == f"{slow:>28}"


def test_hosts_about_which_little_is_known() -> None:
    assert header(80, HostView(), banner=None) == "vfiotop  d checks"
    assert "no guest GPU" in header(80, replace(HOST, gpus=HOST.gpus[1:]))
    gone = replace(HOST, gpus=HOST.gpus[1:], absent_card="0000:01:00.0")
    assert "✗ 01:00.0 is gone" in header(80, gone)
    assert "IOMMU off" in header(120, replace(HOST, iommu_enabled=False))


def test_banners_in_a_word() -> None:
    assert short_banner(DEMO) == short_banner("No GPU here: simulated host") == "demo"
    assert short_banner("Captured host: b550") == "captured"
    assert (short_banner("Sample"), short_banner(None)) == ("Sample", None)


NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=60)


@given(st.integers(28, 240), NAMES, st.booleans(), st.sampled_from([(), ("quiet",)]))
def test_it_fits_and_keeps_its_warnings(
    width: int, name: str, plain: bool, notices: tuple[str, ...]
) -> None:
    gpu = replace(GAMING.gpus[0], owner=Owner("guest", name))
    view = replace(HOST, gpus=(gpu,))
    line = header_line(view, AT, width, PLAIN if plain else RICH, banner=DEMO, notices=notices)
    shown = text(line)
    assert width_of(line) <= width
    assert all(notice in shown for notice in notices)
    assert shown.endswith((DEMO, "demo"))
    assert not plain or not ONLY_RICH & set(shown.replace(name, ""))
