"""Whether the vCPUs of a guest have host CPUs of their own: ``guest.pinning``.

A game stutters when its vCPUs wait for the host's work, which is not the fault of the passthrough.
So this check warns and never fails. It judges the definition and the processor's layout; what
really happens is measured while the guest runs (``tui.rules.guest_cpus``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tui.model import Check, CpuSet, CpuTopology, Domain, Pinning, Unavailable, cpu_list
from tui.rules.check_input import CheckInput, local_guests
from tui.rules.guest_checks import unreadable

ID = "guest.pinning"

SPELLED_OUT = 8
"""The most vCPUs that the fix pins one by one."""


def check(domain: Domain, readings: CheckInput) -> Check:
    """Judge the pinning of a domain."""
    topology = readings.view.facts.cpus if readings.view.facts is not None else None
    pinning, name = domain.pinning, domain.name
    unknown = _why_unknown(domain, readings, topology)
    if unknown is not None or topology is None or pinning is None:
        return Check(ID, name, "unknown", unknown or "the processor's layout cannot be read")
    vcpus = pinning.vcpus[: domain.vcpus or None]
    found = next(_faults(vcpus, pinning, topology), None)
    if found is None:
        alone = {cpu for cpus in vcpus for cpu in cpus or ()} <= set(topology.isolated)
        why = f"each vCPU has a host CPU of its own{', isolated from the host' if alone else ''}"
        return Check(ID, name, "pass", why)
    return Check(ID, name, "warn", found, _fix(domain, len(vcpus), topology))


def _why_unknown(domain: Domain, readings: CheckInput, topology: CpuTopology | None) -> str | None:
    local, pinning = local_guests(readings.guests), domain.pinning
    if pinning is None:
        missing = f"the number of vCPUs of “{domain.name}” is not known"
        return unreadable(domain) if domain.problem is not None else missing
    if pinning.unclear:
        return f"“{domain.name}”: a cpuset in the definition cannot be read"
    if topology is None:
        return "the processor's layout is not known: sys/devices/system/cpu"
    if isinstance(local, Unavailable):
        return local.reason
    if pinning.auto:
        return "placement='auto': libvirt chooses the CPUs at the start"
    return None


def _faults(
    vcpus: Sequence[CpuSet | None], pinning: Pinning, topology: CpuTopology
) -> Iterator[str]:
    """What takes time from the vCPUs, the worst first."""
    every = set(topology.cpus)
    off = [
        number for number, cpus in enumerate(vcpus) if cpus is not None and not every & set(cpus)
    ]
    if off:
        yield f"{_vcpus(off)} may run on no host CPU that is online"
    if len(vcpus) >= len(every):
        yield f"{len(vcpus)} vCPUs leave none of the {len(every)} host CPUs to the host"
    free = [number for number, cpus in enumerate(vcpus) if cpus is None or every <= set(cpus)]
    if free:
        yield f"{_vcpus(free)} may run on every host CPU, and wait for the host's work there"
    shared = [number for number, cpus in enumerate(vcpus) if cpus is not None and len(cpus) > 1]
    if shared:
        yield f"{_vcpus(shared)} have no host CPU of their own: each may run on several"
    taken = [cpus[0] for cpus in vcpus if cpus]
    for cpu, count in Counter(taken).items():
        if count > 1:
            both = [number for number, cpus in enumerate(vcpus) if cpus == (cpu,)]
            yield f"{_vcpus(both)} are pinned to the same host CPU {cpu}"
    yield from _others(set(taken), pinning, topology)
    for number, cpus in enumerate(vcpus):
        for sibling in topology.siblings(cpus[0]) if cpus else ():
            if sibling not in taken and sibling not in topology.isolated:
                yield (
                    f"the host may use CPU {sibling}, the other thread of vCPU {number}'s core: "
                    "they slow each other down"
                )


def _others(taken: set[int], pinning: Pinning, topology: CpuTopology) -> Iterator[str]:
    """QEMU's own threads on the CPUs of vCPUs. Those that are not pinned may run on all."""
    threads = [("emulator", pinning.emulator)]
    threads += [("IO", cpus) for _, cpus in pinning.iothreads]
    for kind, cpus in threads:
        on = tuple(sorted(taken & set(topology.cpus if cpus is None else cpus)))
        if on:
            how = "may run" if cpus is None else "are pinned"
            where = "every vCPU's host CPU" if len(on) == len(taken) else f"CPU {cpu_list(on)}"
            yield f"QEMU's {kind} threads {how} on {where}"


def _vcpus(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"vCPU {numbers[0]}"
    return f"vCPUs {cpu_list(tuple(numbers))}"


# --- the fix ---


def _fix(domain: Domain, count: int, topology: CpuTopology) -> str:
    """An example of the pinning as XML; fewer vCPUs if there are too many."""
    edit = f"{domain.edit}"
    chosen = _suggested(count, topology)
    if chosen is None:
        rest = max(1, len(topology.cpus) - _spared(topology))
        return f"{edit}: at most <vcpu>{rest}</vcpu>, so that the host keeps a core"
    host = tuple(cpu for cpu in topology.cpus if cpu not in chosen)
    pins = [f"<vcpupin vcpu='{number}' cpuset='{cpu}'/>" for number, cpu in enumerate(chosen)]
    if len(pins) > SPELLED_OUT:
        pins = [*pins[: SPELLED_OUT // 2], "…", pins[-1]]
    threads = [f"<emulatorpin cpuset='{cpu_list(host)}'/>"]
    iothreads = domain.pinning.iothreads if domain.pinning is not None else ()
    threads += [
        f"<iothreadpin iothread='{each}' cpuset='{cpu_list(host)}'/>"
        for each, _ in iothreads[:SPELLED_OUT]
    ]
    return f"{edit}, for instance: <cputune>{''.join([*pins, *threads])}</cputune>"


def _suggested(count: int, topology: CpuTopology) -> CpuSet | None:
    """CPUs for ``count`` vCPUs: whole cores, isolated ones first, then from the last one on, since
    the host's interrupts prefer the first. ``None`` if the host would keep no core."""
    isolated = set(topology.isolated)
    cores = sorted(topology.cores, key=lambda core: (core[0] not in isolated, -core[0]))
    chosen: list[CpuSet] = []
    for core in cores[: max(0, len(cores) - 1)]:
        if sum(map(len, chosen)) >= count:
            break
        chosen.append(core)
    cpus = [cpu for core in sorted(chosen) for cpu in core]
    return tuple(cpus[:count]) if len(cpus) >= count else None


def _spared(topology: CpuTopology) -> int:
    """The CPUs of the core that the host keeps."""
    return len(topology.cores[0]) if topology.cores else 0
