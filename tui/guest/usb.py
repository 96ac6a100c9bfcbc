"""Lends a USB device to a guest and takes it back, after checking fresh readings."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, get_args

from tui.guest.planning import find_domain
from tui.guest.usb_plan import make_plan
from tui.host import Host, HostError, Unsettled
from tui.model import (
    Domain,
    Guests,
    Holders,
    HostView,
    SourceName,
    Unavailable,
    UsbAction,
    UsbDevice,
    UsbHostDev,
    UsbMark,
    UsbPlan,
    UsbReading,
    UsbRule,
    listed,
)
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent
from tui.once import TIMEOUT_S, read_once
from tui.rules import usb
from tui.rules.roles import Choice
from tui.rules.usb_lendings import Lending, Replugged, mark_of, place, stale
from tui.rules.view import assess
from tui.swap.consent import consent_key, require_consent

_NEEDED: tuple[SourceName, ...] = ("pci", "guests", "usb")
"""The sources of a plan. The cards tell which guest is meant if none is named."""


class NoSuchDevice(HostError):
    """The rule matches no USB device, or several; the sentence says what to name instead."""


class LendingLost(Refused):
    """A device was not attached again, and its old element, which is the record of the lending, is
    gone."""


class UsbReadings(NamedTuple):
    """The readings of a plan, and the view that they make."""

    usb: UsbReading
    guests: Guests | Unavailable
    view: HostView


def read(host: Host, choice: Choice, patience: float = TIMEOUT_S) -> UsbReadings:
    """Read the USB devices and the guests. Raises ``HostError`` without the devices."""
    skip = [name for name in get_args(SourceName) if name not in _NEEDED]
    snapshot = read_once(host, choice, patience, skip)
    if isinstance(snapshot.usb, Unavailable):
        raise HostError(snapshot.usb.reason)
    return UsbReadings(snapshot.usb, snapshot.guests, assess(snapshot, choice))


def usb_plan_once(
    host: Host,
    choice: Choice,
    action: UsbAction,
    rule: UsbRule,
    typed: str | None = None,
    *,
    uuid: str | None = None,
) -> UsbPlan:
    """Return the plan for the only device that ``rule`` matches.

    The guest is the domain with ``uuid``, else the one that ``typed`` means, else the allowed
    guest. Raises ``NoSuchDevice``, ``NoSuchGuest`` and ``HostError``.
    """
    seen = read(host, choice)
    device = _find(rule, action, seen)
    return _plan(host, action, device, find_domain(seen.view, choice, typed, uuid), seen)


def _find(rule: UsbRule, action: UsbAction, seen: UsbReadings) -> UsbDevice:
    """Return the device to lend or to return, which may be unplugged."""
    away = tuple(each.device for each in seen.view.usb_away)
    if action == "return" and not usb.found(rule, seen.usb.devices) and usb.found(rule, away):
        return find_device(rule, away)
    return find_device(rule, seen.usb.devices)


def find_device(rule: UsbRule, devices: tuple[UsbDevice, ...]) -> UsbDevice:
    """Return the only device that a rule matches. Raises ``NoSuchDevice``."""
    meant = usb.found(rule, devices)
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise NoSuchDevice(
            f"{len(meant)} devices match: name one by its port, "
            f"{listed([each.port for each in meant], len(meant))}"
        )
    raise NoSuchDevice("no such USB device is plugged in: `vfiotop usb list` shows them")


def _plan(
    host: Host, action: UsbAction, device: UsbDevice, domain: Domain, seen: UsbReadings
) -> UsbPlan:
    holders = _holders(host, device) if action == "lend" else None
    return make_plan(action, device, domain, seen.usb, seen.guests, holders=holders)


def _holders(host: Host, device: UsbDevice) -> Holders | None:
    """Return who has the devices of the controller open; ``None`` if nobody can tell."""
    if device.controller is None:
        return None
    try:
        return host.inspector.holders([device.controller])
    except HostError:
        return None


def execute(
    host: Host, choice: Choice, plan: UsbPlan, consent: Consent, mark: UsbMark | None = None
) -> None:
    """Execute ``plan`` after making it again on fresh readings.

    A device is lent with the ``mark`` of its earlier lending, else with a new one. Blocks as long
    as libvirt does. Raises ``Refused``, ``Unsettled`` and ``HostError``.
    """
    if host.control.unavailable_reason is not None:
        raise Refused(host.control.unavailable_reason)
    seen, device = read(host, choice), plan.device
    rule = UsbRule(device.vendor, device.product, device.serial, device.port)
    now = _find(rule, plan.action, seen)
    domain = find_domain(seen.view, choice, None, plan.uuid)
    fresh = _plan(host, plan.action, now, domain, seen)
    if fresh.identity != plan.identity:
        raise Refused("the device was replugged, or the guest changed: review the plan again")
    require_consent(fresh, consent)
    try:
        if plan.action == "lend":
            gone = stale(now, domain, seen.usb.devices)
            asked = [doubt.id for doubt in fresh.doubts]
            lent = UsbHostDev.of(now, mark or mark_of(now, seen.usb.devices, asked))
            host.control.lend_usb(plan.uuid, lent, gone, _still_there(host, now), plan.raw_name)
        else:
            known = usb.hostdev_of(now, domain) or UsbHostDev.of(now)
            host.control.return_usb(plan.uuid, known, plan.raw_name)
    except Unsettled:
        raise
    except HostError as error:
        raise Refused(str(error)) from error


def is_final(error: Exception, again: Replugged) -> bool:
    """Whether the failure of ``attach_again`` is final: another try would fail, too."""
    return again.changed or isinstance(error, Doubtful)


def attach_again(host: Host, choice: Choice, again: Replugged) -> None:
    """Attach a device that was plugged in again, unless its guest has it by now: another vfiotop
    may have been faster.

    If the plan has a question that the user was not asked when the device was lent, the device
    stays with the host. Raises as ``execute`` does, and ``LendingLost``.
    """
    if again.changed:
        raise Refused(
            "it has functions that it did not have when it was lent: check it, and lend it again"
        )
    try:
        _attach_again(host, choice, again)
    except (Refused, HostError) as error:
        domain = _domain_now(host, choice, again.lending)
        if domain is not None and usb.holder(again.device, [domain]) is not None:
            return
        if domain is not None and again.lending.mark not in [each.mark for each in domain.usb]:
            raise LendingLost(str(error)) from error
        raise


def _attach_again(host: Host, choice: Choice, again: Replugged) -> None:
    lending, device = again.lending, again.device
    rule = UsbRule(device.vendor, device.product, device.serial, device.port)
    plan = usb_plan_once(host, choice, "lend", rule, uuid=lending.uuid)
    if place(plan.device) != place(device):
        raise Refused("it was replugged meanwhile")
    if plan.raw_name != lending.raw_name:
        raise Refused("the guest has another name now")
    accepted = (doubt for doubt in plan.doubts if doubt.id in lending.mark.accepted)
    consent = Consent(None, frozenset(map(consent_key, accepted)))
    execute(host, choice, plan, consent, lending.mark)


def _domain_now(host: Host, choice: Choice, lending: Lending) -> Domain | None:
    try:
        return find_domain(read(host, choice).view, choice, None, lending.uuid)
    except HostError:
        return None


def _still_there(host: Host, device: UsbDevice) -> Callable[[], str | None]:
    """Return the check that the number given to libvirt is still this device's: a replug changes
    it."""

    def objection() -> str | None:
        devices = host.usb.read().devices
        same = any(
            (each.port, each.number, each.id, each.serial)
            == (device.port, device.number, device.id, device.serial)
            for each in devices
        )
        return None if same else "the device was unplugged meanwhile: review the plan again"

    return objection
