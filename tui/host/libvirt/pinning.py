"""Parses what a domain's XML pins: <vcpu cpuset>, <cputune> and <iothreads>.

The XML of a running domain has its present pinning, also after `virsh vcpupin --live`, so libvirt
is not asked for it (virDomainGetVcpuPinInfo).

Source: https://libvirt.org/formatdomain.html#cpu-tuning
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree  # nosec B405  # domain_xml bounds it

from tui.host.cpu_sets import cpu_set
from tui.model import CpuSet, Pinning

THREADS_LIMIT = 512
"""vCPUs and <iothread>s of a domain whose pinning is read."""

_NUMBER = re.compile(r"[0-9]{1,4}")


class _Unclear(Exception):
    """A set of CPUs that cannot be read."""


def pinning(domain: ElementTree.Element) -> Pinning | None:
    """Return what a <domain> pins; ``None`` if its number of vCPUs is not known."""
    vcpu = domain.find("vcpu")
    count = _number(vcpu.text) if vcpu is not None else None
    if vcpu is None or not count or count > THREADS_LIMIT:
        return None
    try:
        everywhere = _cpus(vcpu)
        vcpus = _pins(domain, "cputune/vcpupin", "vcpu")
        iothreads = _pins(domain, "cputune/iothreadpin", "iothread")
        emulator = domain.find("cputune/emulatorpin")
        return Pinning(
            tuple(vcpus.get(number, everywhere) for number in range(count)),
            everywhere if emulator is None else _cpus(emulator),
            tuple((each, iothreads.get(each, everywhere)) for each in _iothreads(domain)),
            auto=vcpu.get("placement") == "auto",
        )
    except _Unclear:
        return Pinning((None,) * count, unclear=True)


def _pins(domain: ElementTree.Element, path: str, key: str) -> dict[int, CpuSet | None]:
    found: dict[int, CpuSet | None] = {}
    for element in domain.iterfind(path):
        number = _number(element.get(key))
        if number is None:
            raise _Unclear
        found[number] = _cpus(element)
    return found


def _cpus(element: ElementTree.Element) -> CpuSet | None:
    """Return the element's ``cpuset``; ``None`` if it has none."""
    text = element.get("cpuset")
    found = cpu_set(text)
    if text is not None and found is None:
        raise _Unclear
    return found


def _iothreads(domain: ElementTree.Element) -> Sequence[int]:
    """Return the numbers of the <iothread>s, which libvirt numbers from 1 unless they are given."""
    given = [_number(each.get("id")) for each in domain.iterfind("iothreadids/iothread")]
    numbers = [number for number in given if number is not None]
    count = min(_number(domain.findtext("iothreads")) or 0, THREADS_LIMIT)
    return numbers[:THREADS_LIMIT] or range(1, count + 1)


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if _NUMBER.fullmatch(text) else None
