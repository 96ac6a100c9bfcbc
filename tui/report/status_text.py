"""The text of ``vfiotop status``: one view of the host, aligned, without colour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tui.model import (
    Domain,
    Gpu,
    Guest,
    HostMemory,
    HostView,
    Link,
    Metrics,
    NvidiaModel,
    Role,
    Swap,
    slot_of,
)
from tui.report import watch
from tui.rules.memory_checks import gib, page_size

DASH = "–"
LABEL = 11
"""Width of the first column in cells."""

GUEST_LIMIT = 12
"""Maximum guests to list. The view sorts the allowed and active ones first."""

TITLES: dict[Role, str] = {"guest": "Guest GPU", "host": "Host GPU", "other": "GPU"}


def as_text(view: HostView) -> str:
    """The view as text. ``–`` stands for an unknown value. Lines have no trailing blanks."""
    gpus = (list(_gpu(gpu)) for gpu in view.gpus)
    blocks = [list(_host(view)), *gpus, list(_running(view.guest)), list(_guests(view))]
    if not view.gpus and view.problem("pci") is None:
        blocks.insert(1, ["No GPU was found."])
    return "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks if block)


def _row(label: str, *parts: str) -> str:
    return f"{label:<{LABEL}}" + "   ".join(parts)


def _host(view: HostView) -> Iterator[str]:
    if view.facts is not None:
        yield _row("Host", view.facts.name, f"Linux {view.facts.kernel}")
    yield _row("IOMMU", _iommu(view))
    if view.libvirt_uri is not None:
        problem = view.problem("guests")
        yield _row("libvirt", view.libvirt_uri, problem or view.libvirt_version or DASH)
    if view.memory is not None:
        yield from _memory(view.memory)
    if view.nvidia_driver is not None:
        yield _row("NVIDIA", f"driver {view.nvidia_driver}")
    if view.swap is not None and not view.swap.ended:
        yield _row("Swap", *_swap(view.swap))
    if view.watch is not None:
        yield _row("Watch", *watch.words(view.watch))
    names = {"facts": "Host", "pci": "PCI", "vitals": "sysfs", "nvml": "NVML", "drm": "DRM",
             "guests": "libvirt", "threads": "Threads", "agent": "Agent", "swap": "Journal",
             "usb": "USB", "kernel": "Kernel log", "memory": "Memory",
             "watch": "Watch"}  # fmt: skip
    for source, why in view.problems:
        if source == "guests" and view.libvirt_uri is not None:
            continue
        yield _row(names[source], why)


def _memory(memory: HostMemory) -> Iterator[str]:
    """What a guest could get: memory, and huge pages where the host has any."""
    pools = [p for p in memory.pools or () if p.node is None and (p.total or p.on_demand)]
    pages = [f"{p.free} of {p.total} huge pages of {page_size(p.size_kib)} free" for p in pools]
    if memory.available_mib is not None:
        pages.insert(0, f"{gib(memory.available_mib)} available")
    if pages:
        yield _row("Memory", *pages)


def _swap(swap: Swap) -> Iterator[str]:
    yield f"{swap.direction} {swap.address}"
    if swap.interrupted:
        yield "interrupted: `vfiotop recover` finishes or undoes it"
    else:
        yield "stuck" if swap.stuck else swap.state
        yield f"step {swap.step + 1} of {len(swap.steps)}: {swap.current_step}"
    if swap.message:
        yield swap.message


def _iommu(view: HostView) -> str:
    if view.iommu_enabled is None:
        return DASH
    if not view.iommu_enabled:
        return "off, or without groups"
    kind = f" ({view.iommu_kind})" if view.iommu_kind else ""
    return f"on{kind}, {_count(view.iommu_groups, 'group')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# --- GPUs ---------------------------------------------------------------------


def _gpu(gpu: Gpu) -> Iterator[str]:
    function = gpu.function
    model = f"({_model(gpu.nvidia)})" if gpu.nvidia else ""
    yield _row(TITLES[gpu.role], gpu.address, f"{gpu.name} {model}")
    yield _row("  owner", str(gpu.owner), f"driver {function.driver or DASH}", *_power(gpu))
    yield from _reading(gpu)
    yield _row("  link", f"PCIe {_link(gpu.vitals.link if gpu.vitals else None)}",
               f"max {_link(function.link_max)}")  # fmt: skip
    yield _row("  group", *_group(gpu))
    if gpu.half_bound:
        word = "" if gpu.role == "guest" else f" {gpu.address}"
        yield _row(
            "",
            f"half bound: `vfiotop bind{word}` completes the bind, "
            f"`vfiotop unbind{word}` returns it to the host",
        )
    for blocker in gpu.viability.staying:
        yield _row("", blocker.address, blocker.reason)


def _model(model: NvidiaModel) -> str:
    return ", ".join(part for part in (model.family, model.form) if part) or DASH


def _power(gpu: Gpu) -> Iterator[str]:
    if gpu.vitals is not None:
        yield " ".join(part for part in (gpu.vitals.runtime_status, gpu.vitals.power_state) if part)


def _link(link: Link | None) -> str:
    if link is None:
        return DASH
    speed = f"{link.generation}.0" if link.generation else f"{link.speed_gts:g} GT/s"
    return f"{speed} x{link.width}"


def _reading(gpu: Gpu) -> Iterator[str]:
    reading = gpu.reading
    if reading is None:
        yield _row("  readings", DASH, gpu.no_reading or "")
        return
    if reading.problem is not None:
        yield _row("  readings", DASH, f"{'lost: ' if reading.lost else ''}{reading.problem}")
        return
    m = reading.metrics
    yield _row(
        "  load",
        _number(m.util_pct, " %"),
        f"memory {_used(_gib(m.mem_used_mib), _gib(m.mem_total_mib), 'GiB')}",
        f"encoder {_number(m.enc_pct, ' %')}",
        f"decoder {_number(m.dec_pct, ' %')}",
        *(["from guest"] if reading.source == "guest-agent" else []),
    )
    yield _row("  state", *_state(m))
    for remark in reading.remarks:
        yield _row("  remark", f"from guest: {remark}")
    if reading.processes:
        names = [f"{p.name} ({p.pid or DASH})" for p in reading.processes]
        more = [f"and {len(names) - 3} more"] if len(names) > 3 else []
        yield _row("  used by", ", ".join(names[:3] + more))


def _state(m: Metrics) -> Iterator[str]:
    yield _number(m.temp_c, " °C")
    yield f"fan {_number(m.fan_pct, ' %')}"
    yield _used(_number(m.power_w), _number(m.power_limit_w), "W")
    yield f"{_number(m.clock_mhz)} MHz"
    yield f"memory {_number(m.mem_clock_mhz)} MHz"
    if m.throttle:
        yield f"throttled: {', '.join(m.throttle)}"


def _used(used: str, limit: str, unit: str) -> str:
    """What is used of a limit; an unknown limit is left out."""
    return f"{used} {unit}" if limit == DASH else f"{used} of {limit} {unit}"


def _number(value: float | None, unit: str = "") -> str:
    return DASH if value is None else f"{value:.0f}{unit}"


def _gib(mib: float | None) -> str:
    return DASH if mib is None else f"{mib / 1024:.1f}"


def _group(gpu: Gpu) -> Iterator[str]:
    group, viability = gpu.function.iommu_group, gpu.viability
    yield DASH if group is None else str(group)
    if viability.for_guest:
        moved = viability.moved_at_start
        start = f"; starting the guest moves {_addresses(moved)}" if moved else ""
        yield f"viable: moves as {_addresses(viability.moves)}{start}"
    else:
        word = "cannot tell whether viable" if viability.viable is None else "not viable"
        yield f"{word}: {viability.reason or DASH}"


def _addresses(addresses: tuple[str, ...]) -> str:
    """Addresses; further functions of a slot omit the slot: ``0000:01:00.0 .1``."""
    words: list[str] = []
    slot = ""
    for address in addresses:
        words.append(address.removeprefix(slot) if slot_of(address) == slot else address)
        slot = slot_of(address)
    return " ".join(words)


# --- guests -------------------------------------------------------------------


def _running(guest: Guest | None) -> Iterator[str]:
    """What makes the guest stutter, and where its memory is; nothing if it is off."""
    if guest is None or not guest.domain.active:
        return
    rows = [*_waits(guest), *_guest_memory(guest.domain)]
    if rows:
        yield _row("Guest", guest.domain.name)
        yield from rows


def _waits(guest: Guest) -> Iterator[str]:
    cpus = guest.cpus
    worst = cpus.worst if cpus is not None else None
    if cpus is None or worst is None:
        return
    core = "" if worst.cpu is None else f", core {worst.cpu}"
    parts = [f"{_number(worst.wait_ms, ' ms/s')} at most (vCPU {worst.number}{core})"]
    if cpus.host_pct is not None:
        parts.append(f"host's work on its cores {_number(cpus.host_pct, ' %')}")
    yield _row("  wait", *parts)


def _guest_memory(domain: Domain) -> Iterator[str]:
    huge = domain.setup.huge_mib if domain.setup is not None else 0
    parts = [f"{gib(huge)} of huge pages"] if huge else []
    if domain.memory_used_mib is not None:
        used = _used(_gib(domain.memory_used_mib), _gib(domain.memory_mib), "GiB")
        parts.insert(0, f"{used} used")
    if parts:
        yield _row("  memory", *parts)


def _guests(view: HostView) -> Iterator[str]:
    if view.problem("guests") is not None:
        return
    if not view.guests:
        yield "No domain is defined."
        return
    rows: list[tuple[str, ...]] = [
        ("Guests", "state", "vCPUs", "CPU", "memory", "agent", "PCI devices")
    ]
    rows += [_guest(guest) for guest in view.guests[:GUEST_LIMIT]]
    yield from _table(rows)
    if len(view.guests) > GUEST_LIMIT:
        yield f"and {len(view.guests) - GUEST_LIMIT} more"
    if view.guest is not None:
        yield "* may have the guest GPU"


def _guest(guest: Guest) -> tuple[str, ...]:
    domain = guest.domain
    memory = DASH if domain.memory_mib is None else f"{_gib(domain.memory_mib)} GiB"
    return (
        f"{'*' if guest.allowed else ' '} {domain.name}",
        domain.state,
        DASH if domain.vcpus is None else str(domain.vcpus),
        _number(domain.cpu_pct, " %"),
        memory,
        _agent(domain),
        domain.problem or _addresses(domain.addresses) or "none",
    )


def _agent(domain: Domain) -> str:
    if domain.agent is None or not domain.active:
        return DASH
    return "connected" if domain.agent else "not connected"


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Align the columns; the first is at least as wide as a label."""
    lines = list(rows)
    widths = [max(len(row[n]) for row in lines) for n in range(len(lines[0]))]
    widths[0] = max(widths[0], LABEL - 2)
    for row in lines:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
