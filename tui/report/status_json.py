"""The JSON of ``vfiotop status``: one view of the host for programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from tui.model import (
    CardReading,
    Gpu,
    Guest,
    GuestCpus,
    Holders,
    HostMemory,
    HostView,
    Metrics,
    NvidiaModel,
    SourceName,
    Swap,
    Viability,
    card_read_at,
)
from tui.report import usb, watch

SCHEMA = 1
"""Version of the JSON. Keys may be added; none is renamed or dropped."""


def as_json(
    view: HostView,
    taken_at: datetime,
    libvirt_uri: str | None = None,
    holders: Holders | None = None,
    read_at: Mapping[SourceName, datetime] | None = None,
) -> dict[str, Any]:
    """The view as JSON values. Unknown values are null, never 0.

    ``libvirt_uri`` is used if libvirt was not reachable to report its own. ``holders`` are those of
    all functions of the GPUs, ``None`` if they were not read. ``read_at`` is when each source was
    read.
    """
    return {
        "schema": SCHEMA,
        "taken_at": taken_at.isoformat(),
        "host": _host(view, libvirt_uri),
        "gpus": [_gpu(gpu, taken_at, holders, read_at or {}) for gpu in view.gpus],
        "groups": _groups(view),
        "ungrouped": [f.address for g in view.groups if g.id is None for f in g.functions],
        "viability": {gpu.address: _viability(gpu.viability) for gpu in view.gpus},
        "guests": [_guest(guest) for guest in view.guests],
        "checks": [
            {"id": c.id, "subject": c.subject, "verdict": c.verdict, "why": c.why, "fix": c.fix}
            for c in view.checks
        ],
        "swap": _swap(view.swap) if view.swap else None,
        "watch": watch.as_json(view.watch, taken_at) if view.watch else None,
        "usb": usb.as_json(None if view.usb is None else (*view.usb, *view.usb_away)),
        "problems": [{"source": source, "why": why} for source, why in view.problems],
    }


def _host(view: HostView, uri: str | None) -> dict[str, Any]:
    return {
        "name": view.facts.name if view.facts else None,
        "kernel": view.facts.kernel if view.facts else None,
        "iommu": {
            "enabled": view.iommu_enabled,
            "kind": view.iommu_kind,
            "groups": view.iommu_groups,
        },
        "libvirt": {
            "uri": view.libvirt_uri or uri,
            "version": view.libvirt_version,
            "error": view.problem("guests"),
        },
        "nvidia_driver": view.nvidia_driver,
        "kernel_log": _kernel_log(view),
        "cpus": asdict(view.facts.cpus) if view.facts and view.facts.cpus else None,
        "memory": _memory(view.memory) if view.memory else None,
    }


def _memory(memory: HostMemory) -> dict[str, Any]:
    """The host's memory. ``free`` pages are those that nobody has reserved; null if not known."""
    pools = memory.pools
    return {
        "available_mib": memory.available_mib,
        "huge_pages": None if pools is None else [asdict(pool) for pool in pools],
    }


def _kernel_log(view: HostView) -> dict[str, Any]:
    """Whether the kernel log can be read; null for a host without one here, such as a captured
    host."""
    error = view.problem("kernel")
    readable = True if view.kernel_log is not None else None if error is None else False
    return {"readable": readable, "error": error}


def _gpu(
    gpu: Gpu,
    taken_at: datetime,
    holders: Holders | None,
    read_at: Mapping[SourceName, datetime],
) -> dict[str, Any]:
    function, vitals, reading = gpu.function, gpu.vitals, gpu.reading
    return {
        "address": function.address,
        "vendor": function.vendor,
        "device": function.device,
        "name": gpu.name,
        "role": gpu.role,
        "owner": str(gpu.owner),
        "guest_uuid": gpu.guest_uuid,
        "taken_by": asdict(gpu.taken_by) if gpu.taken_by is not None else None,
        "may_be_taken": gpu.may_be_taken,
        "driver": function.driver,
        "iommu_group": function.iommu_group,
        "companions": [f.address for f in gpu.companions],
        "boot_vga": function.boot_vga,
        "runtime_status": vitals.runtime_status if vitals else None,
        "power_state": vitals.power_state if vitals else None,
        "nvidia": _nvidia(gpu.nvidia) if gpu.nvidia else None,
        "source": reading.source if reading else None,
        "age_s": _age(card_read_at(reading, read_at), taken_at) if reading else None,
        "metrics": _metrics(reading),
        "throttle": _throttle(reading),
        "processes": _processes(reading),
        "holders": _holders(gpu, holders),
        "lost": reading.lost if reading else None,
        "remarks": list(reading.remarks) if reading else None,
        "no_reading": (reading.failed if reading else None) or gpu.no_reading,
        "half_bound": gpu.half_bound,
    }


def _nvidia(model: NvidiaModel) -> dict[str, str | None]:
    return {"family": model.family, "brand": model.brand, "form": model.form}


def _holders(gpu: Gpu, holders: Holders | None) -> list[dict[str, Any]] | None:
    """The holders of a GPU, without our own NVML process; null if none was found but not every
    process was visible."""
    if holders is None:
        return None
    found = holders.of([f.address for f in (gpu.function, *gpu.companions)])
    others = [asdict(holder) for holder in found if not holder.ours]
    return others if others or holders.complete else None


def _age(read_at: datetime | None, now: datetime) -> float | None:
    """Seconds since a reading was taken, to the millisecond."""
    return None if read_at is None else max(0.0, round((now - read_at).total_seconds(), 3))


def _metrics(reading: CardReading | None) -> dict[str, float | int | None] | None:
    """The numbers of a reading, under the names in ``Metrics``."""
    if reading is None:
        return None
    return {name: getattr(reading.metrics, name) for name in Metrics.names() if name != "throttle"}


def _throttle(reading: CardReading | None) -> list[str] | None:
    """The reasons why the card throttles: empty if it does not, null if unknown."""
    causes = reading.metrics.throttle if reading else None
    return None if causes is None else list(causes)


def _processes(reading: CardReading | None) -> list[dict[str, Any]] | None:
    if reading is None or reading.processes is None:
        return None
    return [asdict(process) for process in reading.processes]


def _swap(swap: Swap) -> dict[str, Any]:
    """A swap. ``step`` is an index into ``steps``; an ``interrupted`` swap waits for ``recover``.
    ``by`` is who requested it."""
    return {
        "id": swap.id,
        "address": swap.address,
        "moves": list(swap.moves),
        "direction": swap.direction,
        "by": swap.by,
        "state": swap.state,
        "step": swap.step,
        "steps": list(swap.steps),
        "message": swap.message,
        "began_at": swap.began_at.isoformat(),
        "step_began_at": swap.step_began_at.isoformat(),
        "interrupted": swap.interrupted,
    }


def _groups(view: HostView) -> list[dict[str, Any]]:
    groups = ((g.id, [f.address for f in g.functions]) for g in view.groups if g.id is not None)
    return [{"id": number, "devices": devices} for number, devices in sorted(groups)]


def _viability(viability: Viability) -> dict[str, Any]:
    return {
        "viable": viability.for_guest,
        "moves": list(viability.moves),
        "moved_at_start": list(viability.moved_at_start),
        "blockers": [asdict(blocker) for blocker in viability.staying],
        "reason": None if viability.for_guest else viability.reason,
    }


def _guest(guest: Guest) -> dict[str, Any]:
    """A guest. ``hostdevs`` is null if the definition could not be read. If there is a ``problem``,
    the list may be incomplete."""
    domain = guest.domain
    known = domain.addresses or domain.problem is None
    return {
        "name": domain.name,
        "uuid": domain.uuid,
        "state": domain.state,
        "allowed": guest.allowed,
        "persistent": domain.persistent,
        "hostdevs": list(domain.addresses) if known else None,
        "vcpus": domain.vcpus,
        "cpu_pct": domain.cpu_pct,
        "memory_mib": domain.memory_mib,
        "memory_used_mib": domain.memory_used_mib,
        "disk_read_bps": domain.disk_read_bps,
        "disk_write_bps": domain.disk_write_bps,
        "net_rx_bps": domain.net_rx_bps,
        "net_tx_bps": domain.net_tx_bps,
        "started_at": domain.started_at.isoformat() if domain.started_at else None,
        "agent": domain.agent,
        "gpu_driver": guest.driver_version,
        "huge_pages_mib": domain.setup.huge_mib if domain.setup else None,
        "problem": domain.problem,
        "vcpu_cores": _vcpu_cores(guest.cpus),
    }


def _vcpu_cores(cpus: GuestCpus | None) -> dict[str, Any] | None:
    """The vCPUs of the allowed guest and the host's CPUs under them; null while it does not run.
    Loads and waits need two readings: they are null in the first one."""
    if cpus is None:
        return None
    return {
        "vcpus": [asdict(cpu) | {"asleep_pct": cpu.asleep_pct} for cpu in cpus.cpus],
        "unread": cpus.unread,
        "emulator": asdict(cpus.emulator) if cpus.emulator else None,
        "io": asdict(cpus.io) if cpus.io else None,
        "host_pct": cpus.host_pct,
        "problem": cpus.problem,
    }
