"""The memory that a guest starts with, against what the host has."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import MEMORY, domain
from tui.model import (
    Backing,
    Domain,
    DomainSetup,
    HostDev,
    HostMemory,
    MemoryPart,
    PagePool,
    Unavailable,
    Verdict,
)
from tui.rules import memory_checks

GIB_PAGES, SMALL = 1 << 20, 2048
HUGE = DomainSetup((MemoryPart(16384.0, SMALL),))


def guest(setup: DomainSetup | None, *slots: str, **facts: Any) -> Domain:
    return replace(domain("win11", *(slots or ("02:00.0",))), setup=setup, **facts)


def host(*pools: PagePool, **facts: Any) -> HostMemory:
    return replace(MEMORY, pools=pools, **facts)


def pages(total: int, free: int, node: int | None = None, **facts: Any) -> PagePool:
    return PagePool(SMALL, total, free, node, **facts)


@pytest.mark.parametrize(
    ("there", "verdict", "words"),
    [
        (host(pages(8192, 8192)), "pass", "8192 huge pages of 2 MiB are free"),
        (host(pages(8192, 6144)), "fail", "needs 8192 huge pages of 2 MiB, 6144 are free"),
        (host(pages(0, 0)), "fail", "0 are free"),
        (host(pages(8192, 6144), hook="/etc/libvirt/hooks/qemu, line 3"), "warn", "qemu, line 3"),
        (host(pages(8192, 6144), unclear_hook="/etc/libvirt/hooks/qemu"), "unknown", "hooks/qemu"),
        (host(pages(8192, 6144, on_demand=2048)), "warn", "the kernel allocates the rest"),
        (host(pages(8192, 6144, on_demand=2047)), "fail", "6144 are free"),
        (host(PagePool(GIB_PAGES, 16, 16)), "fail", "no huge pages of 2 MiB"),
        (replace(MEMORY, pools=None), "unknown", "cannot be read"),
        (Unavailable("no answer within 5 s"), "unknown", "no answer"),
    ],
)
def test_huge_pages(there: HostMemory | Unavailable, verdict: Verdict, words: str) -> None:
    check = memory_checks.memory(guest(HUGE), there)
    assert (check.id, check.subject, check.verdict) == ("guest.memory", "win11", verdict)
    assert words in check.why


def test_the_fix_allocates_what_is_missing_now_and_for_each_boot() -> None:
    fix = memory_checks.memory(guest(HUGE), host(pages(9000, 6144))).fix or ""
    assert fix == (
        "`echo 11048 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages`; for each boot: "
        "vm.nr_hugepages = 11048 in /etc/sysctl.d/hugepages.conf"
    )
    tight = memory_checks.memory(guest(HUGE), host(pages(9000, 6144), available_mib=2048)).fix
    assert (tight or "").startswith("free 4.0 GiB of memory first; then `echo 11048 > ")


def test_pages_of_another_size_than_the_default() -> None:
    big = DomainSetup((MemoryPart(16384.0, GIB_PAGES),))
    check = memory_checks.memory(guest(big), host(PagePool(GIB_PAGES, 4, 4), pages(9000, 9000)))
    assert (check.verdict, "needs 16 huge pages of 1 GiB, 4 are free" in check.why) == (
        "fail", True,
    )  # fmt: skip
    assert "hugepagesz=1G hugepages=16 on the kernel command line" in (check.fix or "")


@pytest.mark.parametrize("default", [SMALL, GIB_PAGES])
def test_a_definition_that_names_no_size_gets_the_default(default: int) -> None:
    there = host(pages(8192, 8192), PagePool(GIB_PAGES, 16, 16), default_page_kib=default)
    check = memory_checks.memory(guest(DomainSetup((MemoryPart(16384.0, 0),))), there)
    assert (check.verdict, "of 2 MiB" in check.why) == ("pass", default == SMALL)


@pytest.mark.parametrize(
    ("mounted", "verdict"),
    [(None, "pass"), ((SMALL,), "pass"), ((GIB_PAGES,), "warn"), ((), "warn")],
)
def test_libvirt_needs_a_mount(mounted: tuple[int, ...] | None, verdict: Verdict) -> None:
    check = memory_checks.memory(guest(HUGE), host(pages(8192, 8192), mounted_kib=mounted))
    assert check.verdict == verdict
    assert ("mount -m -t hugetlbfs -o pagesize=2M hugetlbfs /dev/hugepages2M" in (
        check.fix or ""
    )) == (verdict == "warn")  # fmt: skip


def test_a_memfd_needs_no_mount() -> None:
    there = host(pages(8192, 8192), mounted_kib=())
    assert memory_checks.memory(guest(replace(HUGE, backing="memfd")), there).verdict == "pass"


def test_pages_of_one_node() -> None:
    """There are enough, but not where the guest wants them."""
    there = host(pages(16384, 12288), pages(8192, 4096, 0), pages(8192, 8192, 1))
    bound = DomainSetup((MemoryPart(16384.0, SMALL, (0,)),))
    check = memory_checks.memory(guest(bound), there)
    assert check.verdict == "fail"
    assert "needs 8192 huge pages of 2 MiB on node 0, 4096 are free" in check.why
    assert "`echo 12288 > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/" in (
        check.fix or ""
    )
    assert "hugepages=0:12288" in (check.fix or "")
    for nodes in ((1,), (0, 1), ()):
        part = MemoryPart(16384.0, SMALL, nodes)
        assert memory_checks.memory(guest(DomainSetup((part,))), there).verdict == "pass"


def test_cells_that_share_a_node_are_counted_together() -> None:
    there = host(pages(16384, 12288), pages(8192, 4096, 0), pages(8192, 8192, 1))
    cell = MemoryPart(6144.0, SMALL, (0,))
    assert memory_checks.memory(guest(DomainSetup((cell,))), there).verdict == "pass"
    assert memory_checks.memory(guest(DomainSetup((cell, cell))), there).verdict == "fail"
    apart = (cell, replace(cell, nodes=(1,)))
    assert memory_checks.memory(guest(DomainSetup(apart)), there).verdict == "pass"


@pytest.mark.parametrize(
    ("available", "swap", "verdict"),
    [
        (16384, 0, "pass"), (15359, 0, "fail"), (12288, 4096, "warn"), (11264, 4095, "fail"),
        (15360, 0, "warn"), (11264, 4096, "warn"),
    ],
)  # fmt: skip
def test_vfio_needs_ordinary_memory_at_once(available: int, swap: int, verdict: Verdict) -> None:
    there = replace(MEMORY, available_mib=available, swap_free_mib=swap)
    ordinary = DomainSetup((MemoryPart(16384.0),))
    assert memory_checks.memory(guest(ordinary), there).verdict == verdict
    assert memory_checks.memory(replace(guest(ordinary), hostdevs=()), there).verdict == "pass"
    for field, words in (("locked", "it is locked"), ("immediate", "it is allocated")):
        held = replace(guest(replace(ordinary, **{field: True})), hostdevs=())
        check = memory_checks.memory(held, there)
        assert check.verdict == verdict
        assert (f"because {words}" in check.why) == (verdict != "pass")


def test_how_much_is_available_is_an_estimate() -> None:
    there = replace(MEMORY, available_mib=15872)
    check = memory_checks.memory(guest(DomainSetup((MemoryPart(16384.0),))), there)
    assert (check.verdict, "it may just fit" in check.why) == ("warn", True)


@pytest.mark.parametrize(
    ("backing", "available", "verdict"),
    [
        ("file", 8192, "unknown"),
        ("file", 16384, "pass"),
        ("memfd", 8192, "fail"),
        ("arguments", 8192, "unknown"),
        ("arguments", 16384, "unknown"),
    ],
)
def test_memory_that_may_be_of_huge_pages(
    backing: Backing, available: int, verdict: Verdict
) -> None:
    """Those are not available to others."""
    setup = DomainSetup((MemoryPart(16384.0),), backing=backing)
    there = replace(MEMORY, available_mib=available)
    assert memory_checks.memory(guest(setup), there).verdict == verdict


def test_a_share_of_a_card_pins_nothing_at_the_start() -> None:
    share = guest(DomainSetup((MemoryPart(16384.0),)))
    share = replace(share, hostdevs=(HostDev("0000:02:00.0", managed=False, by="mdev"),))
    assert memory_checks.memory(share, replace(MEMORY, available_mib=1024)).verdict == "pass"


def test_the_worst_of_both_kinds_counts() -> None:
    mixed = DomainSetup((MemoryPart(8192.0, SMALL), MemoryPart(40960.0)))
    check = memory_checks.memory(guest(mixed), host(pages(4096, 4096)))
    assert (check.verdict, "needs 40.0 GiB at once" in check.why) == ("fail", True)


def test_a_guest_that_runs_has_its_memory() -> None:
    running = guest(HUGE, state="running")
    assert memory_checks.memory(running, host(pages(8192, 0))).verdict == "pass"
    assert memory_checks.against_start(running, host(pages(8192, 0))) == ()


@pytest.mark.parametrize("setup", [None, DomainSetup(), DomainSetup((MemoryPart(None),))])
def test_a_definition_that_does_not_tell(setup: DomainSetup | None) -> None:
    for check in (
        memory_checks.memory(guest(setup), MEMORY),
        memory_checks.balloon(guest(setup)),
        memory_checks.locked(guest(setup)),
    ):
        assert check.verdict == "unknown"
    assert memory_checks.against_start(guest(setup), MEMORY) == ()


def test_the_panel_has_what_speaks_against_a_start() -> None:
    short = host(pages(8192, 6144))
    (check,) = memory_checks.against_start(guest(HUGE), short)
    assert check.verdict == "fail"
    assert memory_checks.against_start(guest(HUGE), host(pages(8192, 8192))) == ()
    assert memory_checks.against_start(None, short) == ()


@pytest.mark.parametrize(
    ("current", "device", "slots", "verdict"),
    [
        (8192.0, True, ("02:00.0",), "warn"), (8192.0, False, ("02:00.0",), "pass"),
        (8192.0, True, (), "pass"), (16384.0, True, ("02:00.0",), "pass"),
        (None, True, ("02:00.0",), "pass"),
    ],
)  # fmt: skip
def test_a_balloon_is_of_no_use_with_host_devices(
    current: float | None, device: bool, slots: tuple[str, ...], verdict: Verdict
) -> None:
    setup = DomainSetup((MemoryPart(16384.0),), current_mib=current, balloon=device)
    check = memory_checks.balloon(replace(domain("win11", *slots), setup=setup))
    assert check.verdict == verdict
    if verdict == "warn":
        assert "sees 8.0 GiB of its 16.0 GiB" in check.why
        assert "<currentMemory>" in (check.fix or "")


@pytest.mark.parametrize(
    ("limit", "held", "by", "verdict"),
    [
        (None, False, "hostdev", "pass"), (None, False, "command line", "warn"),
        (None, True, "command line", "pass"), (12288.0, False, "hostdev", "fail"),
        (16384.0, False, "hostdev", "warn"), (17408.0, False, "command line", "pass"),
    ],
)  # fmt: skip
def test_the_limit_of_locked_memory(
    limit: float | None, held: bool, by: Any, verdict: Verdict
) -> None:
    setup = DomainSetup((MemoryPart(16384.0),), locked=held, hard_limit_mib=limit)
    made = guest(setup, hostdevs=(HostDev("0000:02:00.0", managed=False, by=by),))
    check = memory_checks.locked(made)
    assert check.verdict == verdict
    assert ("<hard_limit unit='MiB'>17408</hard_limit>" in (check.fix or "")) == (verdict != "pass")
    assert memory_checks.locked(replace(made, hostdevs=())).verdict == "pass"
