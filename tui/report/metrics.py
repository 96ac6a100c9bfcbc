"""A view of the host as metrics, in the names, units and types of OpenMetrics.

An unknown value has no series; it is never 0. Units are the base units of the conventions (bytes,
seconds, ratios of 1), as the suffix of each name says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import get_args

from prometheus_client.metrics_core import Metric

from tui import __version__
from tui.model import (
    VERDICT_ORDER,
    Check,
    Gpu,
    Guest,
    HostMemory,
    HostView,
    OwnerKind,
    SourceName,
    Swap,
    SwapState,
    Watch,
    card_read_at,
)
from tui.model.guests import DomainState
from tui.report.metric_families import Families, in_base_unit

GUEST_LIMIT = 256
"""Maximum guests with series of their own. A time-series database never forgets those of guests
that come and go by the hundred."""

CARD_VALUES = (
    ("util_pct", "utilization", "Share of the time in which the card was busy."),
    ("mem_util_pct", "memory_controller_utilization",
     "Share of the time in which the card's memory was read or written."),
    ("mem_used_mib", "memory_used", "Memory of the card in use."),
    ("mem_total_mib", "memory_size", "Memory of the card."),
    ("temp_c", "temperature", "Temperature of the card."),
    ("temp_limit_c", "temperature_limit", "Temperature at which the card slows down."),
    ("fan_pct", "fan_speed", "Speed of the fan; may exceed 1."),
    ("power_w", "power", "Power that the card draws."),
    ("power_limit_w", "power_limit", "Power that the card may draw."),
    ("clock_mhz", "clock", "Clock of the card's cores."),
    ("mem_clock_mhz", "memory_clock", "Clock of the card's memory."),
    ("pcie_gen", "pcie_generation", "Generation of the PCIe link now."),
    ("pcie_gen_max", "pcie_generation_max", "Generation of the PCIe link at most."),
    ("pcie_width", "pcie_lanes", "Lanes of the PCIe link now."),
    ("pcie_width_max", "pcie_lanes_max", "Lanes of the PCIe link at most."),
    ("enc_pct", "encoder_utilization", "Share of the time in which the encoder was busy."),
    ("dec_pct", "decoder_utilization", "Share of the time in which the decoder was busy."),
    ("enc_sessions", "encoder_sessions", "Video streams that the card encodes."),
    ("enc_fps", "encoder_frames_per_second", "Mean frames per second of these streams."),
    ("enc_latency_us", "encoder_latency", "Mean time that the encoder takes for a frame."),
)  # fmt: skip
"""The fields of ``Metrics``, each with its name after ``vfiotop_card_`` and its description."""

GUEST_VALUES = (
    ("cpu_pct", "cpu_utilization", "Load of all vCPUs of the guest together."),
    ("memory_mib", "memory", "Memory that the guest has."),
    ("memory_used_mib", "memory_used", "Memory that the guest uses, by its balloon driver."),
    ("disk_read_bps", "disk_read", "What the guest reads from its disks."),
    ("disk_write_bps", "disk_written", "What the guest writes to its disks."),
    ("net_rx_bps", "network_received", "What the guest receives from the network."),
    ("net_tx_bps", "network_sent", "What the guest sends to the network."),
    ("vcpus", "vcpus", "vCPUs of the guest."),
)
"""The same for the fields of ``Domain``, after ``vfiotop_guest_``."""


def families(
    view: HostView,
    at: datetime,
    *,
    read_at: Mapping[SourceName, datetime] | None = None,
    readings: Mapping[SourceName, int] | None = None,
) -> Sequence[Metric]:
    """The metrics of a view as of ``at``. ``read_at`` is when each source was last read, and
    ``readings`` how often, if this process counts them."""
    found = Families("vfiotop")
    found.info("build", "The program that measured this.", {}, {"version": __version__})
    _add_host(found, view)
    for gpu in view.gpus:
        _add_card(found, gpu, at, read_at or {})
    _add_guests(found, view.guests)
    _add_checks(found, view.checks)
    if view.swap is not None:
        _add_swap(found, view.swap)
    if view.watch is not None:
        _add_watch(found, view.watch, at)
    _add_sources(found, view, readings or {})
    return found.all


def _add_host(found: Families, view: HostView) -> None:
    if view.facts is not None:
        about = {"kernel": view.facts.kernel, "nvidia_driver": view.nvidia_driver}
        found.info("host", "The host.", {}, {**about, "iommu": view.iommu_kind})
    found.gauge("iommu_enabled", "Whether the IOMMU is on.", {}, view.iommu_enabled)
    if view.iommu_enabled is not None:
        found.gauge("iommu_groups", "IOMMU groups of the host.", {}, view.iommu_groups)
    if view.memory is not None:
        _add_memory(found, view.memory)


def _add_memory(found: Families, memory: HostMemory) -> None:
    available = in_base_unit("available_mib", memory.available_mib)
    found.gauge("host_memory_available", "Memory that a new guest can have.", {}, *available)
    for pool in memory.pools or ():
        if pool.node is None:  # with those of the nodes, a sum would count each page twice
            labels = {"page_bytes": pool.size_kib * 1024}
            found.gauge("host_huge_pages", "Huge pages of the host.", labels, pool.total)
            found.gauge("host_huge_pages_free", "Huge pages that a new guest can have.", labels,
                        pool.free)  # fmt: skip


# --- cards ----------------------------------------------------------------------------


def _add_card(
    found: Families, gpu: Gpu, at: datetime, read_at: Mapping[SourceName, datetime]
) -> None:
    labels, function, nvidia = {"address": gpu.address}, gpu.function, gpu.nvidia
    found.info("card", "What the card is.", labels, {
        "name": gpu.name, "vendor": function.vendor, "device": function.device,
        "role": gpu.role,
        "driver": function.driver,
        "iommu_group": function.iommu_group,
        "family": nvidia.family if nvidia else None,
        "brand": nvidia.brand if nvidia else None,
    })  # fmt: skip
    found.states("card_owner", "Who has the card.", labels, get_args(OwnerKind), gpu.owner.kind)
    if gpu.owner.kind == "guest":
        has = {"guest": gpu.owner.guest, "uuid": gpu.guest_uuid}
        found.info("card_guest", "The guest that has the card.", labels, has)
    found.gauge("card_viable", "Whether a guest can have the card, by its IOMMU group.", labels,
                gpu.viability.for_guest)  # fmt: skip
    status = gpu.runtime_status
    found.gauge("card_asleep", "Whether the card is suspended.", labels,
                None if status is None else gpu.asleep)  # fmt: skip
    reading = gpu.reading
    if reading is None:
        return
    found.gauge("card_lost", "Whether the card has fallen off the bus.", labels,
                reading.lost is not None)  # fmt: skip
    if reading.problem is not None:
        return
    found.info("card_reading", "Where the card's values come from.", labels,
               {"source": reading.source})  # fmt: skip
    taken = card_read_at(reading, read_at)
    if taken is not None:
        age = max(0.0, round((at - taken).total_seconds(), 3))
        found.gauge("card_reading_age", "Age of the card's values.", labels, age, "seconds")
    for field, name, means in CARD_VALUES:
        value = in_base_unit(field, getattr(reading.metrics, field))
        found.gauge(f"card_{name}", means, labels, *value)
    if (throttle := reading.metrics.throttle) is not None:
        found.gauge("card_throttled", "Whether something limits the card.", labels, bool(throttle))
        for reason in throttle:
            found.gauge("card_throttle_reason", "1 for each reason that limits the card.",
                        {**labels, "reason": reason}, 1)  # fmt: skip


# --- guests ---------------------------------------------------------------------------


def _add_guests(found: Families, guests: Sequence[Guest]) -> None:
    allowed_first = sorted(guests, key=lambda guest: not guest.allowed)
    for guest in allowed_first[:GUEST_LIMIT]:
        _add_guest(found, guest)


def _add_guest(found: Families, guest: Guest) -> None:
    domain = guest.domain
    labels = {"guest": domain.name, "uuid": domain.uuid}
    found.states("guest_state", "What libvirt says of the guest.", labels, get_args(DomainState),
                 domain.state)  # fmt: skip
    found.gauge("guest_allowed", "Whether the guest may have the guest's card.", labels,
                guest.allowed)  # fmt: skip
    found.gauge("guest_agent_connected", "Whether the guest's agent is connected.", labels,
                domain.agent)  # fmt: skip
    if domain.started_at is not None:
        found.gauge("guest_start_time", "When the guest started.", labels,
                    round(domain.started_at.timestamp(), 3), "seconds")  # fmt: skip
    for field, name, means in GUEST_VALUES:
        found.gauge(f"guest_{name}", means, labels, *in_base_unit(field, getattr(domain, field)))
    huge = domain.setup.huge_mib if domain.setup else None
    found.gauge("guest_huge_pages", "Memory of the guest in huge pages.", labels,
                *in_base_unit("huge_mib", huge))  # fmt: skip
    for cpu in guest.cpus.cpus if guest.cpus else ():
        vcpu = {**labels, "vcpu": cpu.number}
        found.gauge("guest_vcpu_utilization", "Share of the time in which the vCPU ran.", vcpu,
                    *in_base_unit("load_pct", cpu.load_pct))  # fmt: skip
        found.gauge("guest_vcpu_wait",
                    "Share of the time in which the vCPU was ready and the host ran something "
                    "else.", vcpu, *in_base_unit("wait_ms", cpu.wait_ms))  # fmt: skip
        found.gauge("guest_vcpu_host_cpu", "CPU of the host that the vCPU runs on.", vcpu, cpu.cpu)


# --- what is judged and done ----------------------------------------------------------


def _add_checks(found: Families, checks: Sequence[Check]) -> None:
    """Add the checks. Of those with the same id and subject, the worst counts."""
    for check in sorted(checks, key=lambda each: VERDICT_ORDER.index(each.verdict)):
        labels = {"check": check.id, "subject": check.subject}
        found.states("check_verdict", "What a check found. unknown never means pass.", labels,
                     VERDICT_ORDER, check.verdict)  # fmt: skip


def _add_swap(found: Families, swap: Swap) -> None:
    labels = {"address": swap.address, "direction": swap.direction}
    found.states("swap_state", "The last swap since boot.", labels, get_args(SwapState), swap.state)
    found.gauge("swap_under_way", "Whether the last swap may still change the host.", labels,
                swap.under_way)  # fmt: skip
    found.gauge("swap_stuck", "Whether the last swap waits for a write that does not return.",
                labels, swap.stuck)  # fmt: skip
    found.gauge("swap_interrupted", "Whether the last swap is to be finished or undone.", labels,
                swap.interrupted)  # fmt: skip
    found.gauge("swap_start_time", "When the last swap began.", labels,
                round(swap.began_at.timestamp(), 3), "seconds")  # fmt: skip


def _add_watch(found: Families, watch: Watch, at: datetime) -> None:
    found.gauge("watch_running", "Whether the watch runs.", {}, watch.running)
    found.gauge("watch_failed", "Whether the watch has ended and nobody asked for that.", {},
                watch.failed)  # fmt: skip
    if not watch.running:
        return
    found.gauge("watch_acts", "Whether the watch may move cards.", {}, watch.acts)
    found.gauge("watch_keeps_awake", "Whether the watch keeps the host from going to sleep.", {},
                watch.stays_awake)  # fmt: skip
    if watch.pending is not None:
        found.gauge("watch_return_in", "Time to the return that the watch has announced.",
                    {"address": watch.pending.address}, round(watch.pending.left_s(at), 3),
                    "seconds")  # fmt: skip


def _add_sources(found: Families, view: HostView, readings: Mapping[SourceName, int]) -> None:
    """Add the sources. One that is expected to be missing, or was not read yet, has no series."""
    down = {source for source, _ in view.problems} - set(view.expected)
    for source in sorted(down | set(readings)):
        if source not in view.expected:
            found.gauge("source_up", "Whether a source of readings can be read.",
                        {"source": source}, source not in down)  # fmt: skip
    for source, count in sorted(readings.items()):
        found.counter("readings", "Readings that the watch has taken.", {"source": source}, count)
