"""NVIDIA's rules for GeForce passthrough (R465), for a card and for all guests of a host."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tui.model import (
    NO_RESPONSE,
    Brand,
    Check,
    Domain,
    Gpu,
    Guests,
    HostView,
    Readiness,
    Unavailable,
)
from tui.rules import display, vfio_users
from tui.rules.family import family_fix, newer_names, r465_family
from tui.rules.holder_checks import how_to_stop

ONE_VM = "r465.one-vm"

SILENT = f"the device does not respond: its ids read {NO_RESPONSE}"

OTHER_VENDOR = "not an NVIDIA card: not restricted"

CONSUMER: tuple[Brand, ...] = ("geforce", "titan")
"""Brands that the rules apply to. Professional cards are exempt."""

UNSURE: tuple[Brand, ...] = ("unknown", "mining")
"""Brands for which it is not known whether the rules apply."""


def restricted(gpu: Gpu) -> bool:
    """Whether the rules for GeForce passthrough apply to this card."""
    return gpu.nvidia is not None and gpu.nvidia.brand in CONSUMER


def unsure(gpu: Gpu) -> bool:
    """Whether it is not known if the rules apply."""
    return gpu.nvidia is not None and gpu.nvidia.brand in UNSURE


def _may_be_restricted(gpu: Gpu) -> bool:
    return restricted(gpu) or unsure(gpu) or _unidentified(gpu) is not None


def responds(gpu: Gpu) -> bool:
    """Whether the device responds, so that its ids are real."""
    return NO_RESPONSE not in (gpu.function.vendor, gpu.function.device)


def _unidentified(gpu: Gpu) -> tuple[str, str | None] | None:
    """Why the ids do not tell whose card it is, and the fix; ``None`` if they do."""
    if "vendor" in gpu.function.unreadable:
        return "the card's vendor cannot be read", None
    if "device" in gpu.function.unreadable or responds(gpu):
        return None
    return SILENT, "see gpu.answers"


def is_not_nvidia(gpu: Gpu) -> bool:
    """Whether the card is certainly another vendor's."""
    return gpu.nvidia is None and _unidentified(gpu) is None


def family(gpu: Gpu) -> Check:
    """r465.family: whether NVIDIA supports the card in a guest."""
    unidentified = _unidentified(gpu)
    if unidentified is not None:
        return Check("r465.family", gpu.address, "unknown", *unidentified)
    if gpu.nvidia is None:
        return Check("r465.family", gpu.address, "pass", OTHER_VENDOR)
    if "device" in gpu.function.unreadable:
        return Check("r465.family", gpu.address, "unknown", "the card's device id cannot be read")
    verdict, why = r465_family(gpu.nvidia)
    fix = family_fix(gpu.nvidia, newer_names(gpu.function)) if verdict == "unknown" else None
    return Check("r465.family", gpu.address, verdict, why, fix)


def one_vm(
    gpus: Sequence[Gpu],
    guests: Guests | Unavailable,
    *,
    coming: str | None = None,
    others: int = 1,
    subject: str | None = None,
) -> Check:
    """r465.one-vm: at most ``others`` guests with a GeForce card run besides the one with the UUID
    ``coming``. All domains count, transient ones too, and so do guests that libvirt does not
    know."""
    every = () if isinstance(guests, Unavailable) else guests.domains
    domains = [d for d in every if d.uuid != coming]
    runs = _users([gpu for gpu in gpus if restricted(gpu)], domains)
    if len(runs) > others:
        few = ", ".join(user.words for user in runs[:4])
        return Check(
            ONE_VM, subject, "fail",
            f"{few} {'is' if len(runs) == 1 else 'are'} running with a GeForce card: NVIDIA allows "
            "one such guest per host",
            f"{_ends(runs[others:][:4])} first",
        )  # fmt: skip
    if isinstance(guests, Unavailable):
        return _without_domains(gpus, guests, subject)
    own = {a for d in every if d.uuid == coming for a in d.functions} | {subject}
    rest = [gpu for gpu in gpus if gpu.address not in own]
    doubt = _doubt(gpus, rest, domains, runs, others)
    if doubt is not None:
        return Check(ONE_VM, subject, "unknown", *doubt)
    if runs:
        return Check(
            ONE_VM, subject, "pass", f"only {runs[0].words} is running with a GeForce card"
        )
    return Check(ONE_VM, subject, "pass", f"no {'other ' if coming else ''}guest is running with "
                 "a GeForce card")  # fmt: skip


class _User(Struct, frozen=True):
    """A guest that runs with a card: its UUID or pid, its description, and how to end it.
    ``domain`` is its name if libvirt knows it."""

    key: str | int | None
    words: str
    end: str
    domain: str | None = None


def _users(gpus: Iterable[Gpu], domains: Iterable[Domain]) -> list[_User]:
    """The guests with one of the cards: domains, and processes that libvirt does not know."""
    cards = {gpu.address: gpu for gpu in gpus}
    running = [d for d in domains if d.active and cards.keys() & set(d.addresses)]
    processes = {gpu.taken_by.pid: gpu.taken_by for gpu in cards.values() if gpu.taken_by}
    return [
        *(_User(d.uuid, f"“{d.name}”", f"shut down {d.name}", d.name) for d in running),
        *(
            _User(each.pid, vfio_users.describe(each), how_to_stop(each))
            for each in processes.values()
        ),
    ]


def _ends(users: Sequence[_User]) -> str:
    names = [user.domain for user in users if user.domain is not None]
    ends = [f"shut down {', '.join(names)}"] if names else []
    return "; ".join([*ends, *(user.end for user in users if user.domain is None)])


def _doubt(
    gpus: Sequence[Gpu], rest: Sequence[Gpu], domains: Sequence[Domain], runs: Sequence[_User],
    others: int,
) -> tuple[str, str | None] | None:  # fmt: skip
    """Why more than ``others`` guests may be running with a GeForce card, and what to do about
    that. ``rest`` are the cards that another guest may have."""
    unnamed = [gpu for gpu in gpus if unsure(gpu)]
    unclear = [user for user in _users(unnamed, domains) if user not in runs]
    if unclear and len(runs) + len(unclear) > others:
        name = min(user.words for user in unclear)
        fixes = (newer_names(gpu.function) for gpu in unnamed)
        return (f"cannot tell whether the card of {name} is a GeForce",
                next((fix for fix in fixes if fix), None))  # fmt: skip
    unread = [d.name for d in domains if d.problem or d.state == "unknown"]
    if unread:
        return f"the devices of “{unread[0]}” cannot be read", None
    unseen = [gpu for gpu in rest if gpu.may_be_taken and (restricted(gpu) or gpu in unnamed)]
    if not unseen or len(runs) + len(unclear) + len(unseen) <= others:
        return None
    parts = [f"{user.words} is running with a GeForce card" for user in runs]
    parts.append(f"cannot tell whether a guest has {' or '.join(g.address for g in unseen[:4])}")
    seen = [gpu.vitals.users for gpu in unseen if gpu.vitals is not None]
    return "; ".join(parts), next((users.fix for users in seen if users is not None), None)


def _without_domains(gpus: Sequence[Gpu], guests: Unavailable, subject: str | None) -> Check:
    if gpus and not any(_may_be_restricted(gpu) for gpu in gpus):
        return Check(ONE_VM, subject, "pass", "the host has no GeForce card")
    return Check(ONE_VM, subject, "unknown", f"libvirt: {guests.reason}")


def one_vm_for(
    gpu: Gpu, gpus: Sequence[Gpu], guests: Guests | Unavailable, coming: str | None = None
) -> Check:
    """r465.one-vm for a card that a guest will get. Professional cards are exempt."""
    unidentified = _unidentified(gpu)
    if unidentified is not None:
        return Check(ONE_VM, gpu.address, "unknown", *unidentified)
    unclear = unsure(gpu)
    if not restricted(gpu) and not unclear:
        return Check(
            ONE_VM, gpu.address, "pass", "the rule applies to GeForce and TITAN cards only"
        )
    found = one_vm(gpus, guests, coming=coming, others=0, subject=gpu.address)
    if unclear and found.verdict == "fail":
        why = f"cannot tell whether it is a GeForce card, and {found.why}"
        return replace(found, verdict="unknown", why=why)
    return found


def sriov(gpu: Gpu, readiness: Readiness) -> Check:
    """r465.sriov: no virtual functions. A GeForce card may not have them; any card loses them."""
    with_vfs = readiness.with_vfs
    if with_vfs is None or gpu.address in readiness.unreadable_vfs:
        return Check("r465.sriov", gpu.address, "unknown",
                     "cannot tell whether the card has virtual functions")  # fmt: skip
    if gpu.address in with_vfs:
        return Check(
            "r465.sriov", gpu.address, "fail", "the card has virtual functions in use",
            f"`echo 0 > {shlex.quote(f'/sys/bus/pci/devices/{gpu.address}/sriov_numvfs')}`",
        )  # fmt: skip
    return Check("r465.sriov", gpu.address, "pass", "the card has no virtual functions")


def two_gpus(gpu: Gpu, view: HostView) -> Check:
    """host.two-gpus: another card stays with the host."""
    others = [other for other in view.gpus if other.address not in gpu.viability.moves]
    rest = [other for other in others if other.owner.kind == "host"]
    if rest:
        return Check("host.two-gpus", gpu.address, "pass", f"{rest[0].address} stays with the host")
    unreadable = [other for other in others if other.owner.kind == "unknown"]
    if unreadable:
        return Check(
            "host.two-gpus",
            gpu.address,
            "unknown",
            f"the driver of {unreadable[0].address} is unknown",
        )
    idle = [o for o in others if o.function.driver is not None and o.owner.kind in ("vfio", "none")]
    where = f": {idle[0].address} is on {idle[0].function.driver}" if idle else ""
    home = "the host needs a GPU of its own"
    if idle:
        home = f"return one to the host with `vfiotop unbind {shlex.quote(idle[0].address)}`"
    return Check(
        "host.two-gpus", gpu.address, "fail", f"no other card stays with the host{where}",
        f"host and guest cannot share a card: {home}",
    )  # fmt: skip


def not_shared(gpu: Gpu, view: HostView) -> Check:
    """host.not-shared: the card and what moves with it do not drive the host's display."""
    check, functions = display.ID, (gpu.function, *gpu.companions)
    boots = next((f for f in functions if f.boot_vga), None)
    if boots is not None:
        what = "the card" if boots is gpu.function else f"{boots.address}, which moves with it,"
        why = f"{what} drives the host's display (boot VGA)"
        fix = display.ANOTHER_CARD
        if all(other.address in (gpu.address, *gpu.viability.moves) for other in view.gpus):
            fix = (
                "the host needs a GPU of its own: add a second one, or turn on the CPU's graphics "
                "in the firmware"
            )
        return Check(check, gpu.address, "fail", why, fix)
    unreadable = next(
        (f for f in functions if f.boot_vga is None and f.class_code.startswith("0300")), None
    )
    if unreadable is not None:
        what = (
            "the card"
            if unreadable is gpu.function
            else f"{unreadable.address}, which moves with it,"
        )
        why = f"cannot tell whether {what} is the boot VGA"
        return Check(check, gpu.address, "unknown", why)
    return display.by_connectors(gpu, functions, view) or Check(
        check, gpu.address, "pass", "the card does not drive the host's display"
    )
