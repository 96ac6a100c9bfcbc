"""``guest.pinning``: a verdict for each way in which a vCPU shares its host CPU."""

from __future__ import annotations

import pytest

from tests.unit.made import domain, guests, snapshot, two_cards
from tests.values import replace
from tui.host.libvirt.domain_xml import definition
from tui.model import (
    Check,
    CpuSet,
    CpuTopology,
    Domain,
    Guests,
    Holders,
    HostFacts,
    Pinning,
    Readiness,
    Unavailable,
)
from tui.rules import pinning
from tui.rules.check_input import CheckInput
from tui.rules.doctor import all_checks, examine
from tui.rules.roles import Choice
from tui.rules.view import assess

SMT = CpuTopology(tuple((core, core + 8) for core in range(8)))
"""8 cores with two threads each."""

PLAIN = CpuTopology(tuple((cpu,) for cpu in range(8)))


def judged(
    found: Pinning | None,
    topology: CpuTopology | None = PLAIN,
    said: Guests | Unavailable | None = None,
    **facts: object,
) -> Check:
    count = len(found.vcpus) if found is not None else 4
    made = replace(domain("win11", "02:00.0", "02:00.1", vcpus=count, pinning=found), **facts)
    told = guests(made) if said is None else said
    seen = snapshot(two_cards(), (made,), facts=HostFacts("atlas", "6.12", cpus=topology))
    read = CheckInput(assess(seen), told, Holders(()), Readiness(root=True, vfio_pci=True))
    return pinning.check(made, read)


def pins(*cpus: CpuSet | None, emulator: CpuSet | None = (0,), **others: object) -> Pinning:
    return replace(Pinning(cpus, emulator), **others)


@pytest.mark.parametrize(
    ("found", "topology"),
    [
        (pins((2,), (3,), (4,)), PLAIN),
        (pins((2,), (10,), (3,), (11,)), SMT),
        (pins((2,), (3,)), replace(SMT, isolated=(2, 3, 10, 11))),
        (pins((2,), (3,), iothreads=((1, (0, 1)),)), PLAIN),
        (pins((7,), emulator=(0, 1, 2)), PLAIN),
    ],
    ids=["no SMT", "both siblings", "isolated siblings", "an IO thread elsewhere", "one"],
)
def test_vcpus_with_cpus_of_their_own(found: Pinning, topology: CpuTopology) -> None:
    isolated = ", isolated from the host" if topology.isolated else ""
    why = f"each vCPU has a host CPU of its own{isolated}"
    assert judged(found, topology) == Check(pinning.ID, "win11", "pass", why)


@pytest.mark.parametrize(
    ("found", "topology", "why"),
    [
        (pins(None, None), PLAIN,
         "vCPUs 0-1 may run on every host CPU, and wait for the host's work there"),
        (pins((2,), None), PLAIN,
         "vCPU 1 may run on every host CPU, and wait for the host's work there"),
        (pins(tuple(range(8)), (3,)), PLAIN,
         "vCPU 0 may run on every host CPU, and wait for the host's work there"),
        (pins((2, 3), (2, 3), (4,)), PLAIN,
         "vCPUs 0-1 have no host CPU of their own: each may run on several"),
        (pins((2,), (3,), (2,)), PLAIN, "vCPUs 0,2 are pinned to the same host CPU 2"),
        (pins(*[(cpu,) for cpu in range(8)]), PLAIN,
         "8 vCPUs leave none of the 8 host CPUs to the host"),
        (pins((2,), (9,), (8, 9)), PLAIN, "vCPUs 1-2 may run on no host CPU that is online"),
        (pins((2,), (3,), emulator=None), PLAIN,
         "QEMU's emulator threads may run on every vCPU's host CPU"),
        (pins((2,), (3,), emulator=(0, 3)), PLAIN, "QEMU's emulator threads are pinned on CPU 3"),
        (pins((2,), (3,), iothreads=((1, (0,)), (4, (2,)))), PLAIN,
         "QEMU's IO threads are pinned on CPU 2"),
        (pins((2,), (10,), (3,)), SMT,
         "the host may use CPU 11, the other thread of vCPU 2's core: they slow each other down"),
    ],
)  # fmt: skip
def test_what_takes_time_from_a_vcpu(found: Pinning, topology: CpuTopology, why: str) -> None:
    check = judged(found, topology)
    assert (check.verdict, check.why) == ("warn", why)
    assert check.fix is not None and check.fix.startswith("`virsh -c qemu:///system edit win11`")


@pytest.mark.parametrize(
    ("check", "why"),
    [
        (judged(pins((2,)), None), "the processor's layout is not known"),
        (judged(None, problem="its definition has a DTD"), "its definition has a DTD"),
        (judged(None), "the number of vCPUs of “win11” is not known"),
        (judged(pins(None, unclear=True)), "“win11”: a cpuset in the definition cannot be read"),
        (judged(pins(None, auto=True)), "libvirt chooses the CPUs at the start"),
        (judged(pins((2,)), said=Unavailable("libvirt is away")), "libvirt is away"),
        (judged(pins((2,)), said=Guests("qemu+ssh://nas/system", None, ())), "qemu+ssh://nas"),
    ],
)
def test_what_cannot_be_judged_is_unknown(check: Check, why: str) -> None:
    assert check.verdict == "unknown"
    assert why in check.why


@pytest.mark.parametrize("topology", [PLAIN, SMT, replace(SMT, isolated=(1, 2, 9, 10))])
@pytest.mark.parametrize("iothreads", [0, 1])
def test_the_fix_of_an_unpinned_guest_passes(topology: CpuTopology, iothreads: int) -> None:
    """It is put into a definition and read again, as the user would."""
    start = Pinning((None,) * 4, iothreads=((1, None),) * iothreads)
    fix = judged(start, topology).fix
    assert fix is not None
    cputune = fix[fix.index("<cputune>") :]
    xml = (
        f"<domain><name>win11</name><vcpu>4</vcpu><iothreads>{iothreads}</iothreads>"
        f"{cputune}</domain>"
    )
    pinned = definition(xml, "win11.xml").pinning
    assert judged(pinned, topology).verdict == "pass"
    assert pinned is not None
    if topology.isolated:
        assert set(pinned.vcpus) == {(1,), (2,), (9,), (10,)}


def test_the_fix_of_a_large_guest_is_shortened() -> None:
    fix = judged(Pinning((None,) * 12), SMT).fix
    assert fix is not None
    assert fix.count("<vcpupin") == 5
    assert "…<vcpupin vcpu='11'" in fix


def test_a_guest_with_too_many_vcpus_is_told_how_many_fit() -> None:
    fix = judged(Pinning((None,) * 16), SMT).fix
    assert fix == (
        "`virsh -c qemu:///system edit win11`: at most <vcpu>14</vcpu>, so that the host keeps a "
        "core"
    )


def test_unplugged_vcpus_are_not_judged() -> None:
    made = domain("win11", vcpus=2, pinning=pins((2,), (3,), None, None))
    assert judged(made.pinning, vcpus=2).verdict == "pass"


def doctors(*domains: Domain) -> list[Check]:
    seen = snapshot(two_cards(), domains, facts=HostFacts("atlas", "6.12", cpus=PLAIN))
    view = assess(seen, Choice())
    read = CheckInput(view, seen.guests, Holders(()), Readiness(root=True, vfio_pci=True))
    return [check for check in all_checks(examine(read)) if check.id == pinning.ID]


def test_the_doctor_checks_the_guest_and_no_other() -> None:
    mine = domain("win11", "02:00.0", "02:00.1", pinning=pins((2,), (3,)))
    other = domain("nas", pinning=pins(None))
    assert [check.verdict for check in doctors(mine, other)] == ["pass"]


def test_the_doctor_without_a_guest() -> None:
    assert [(check.subject, check.verdict) for check in doctors()] == [(None, "unknown")]
