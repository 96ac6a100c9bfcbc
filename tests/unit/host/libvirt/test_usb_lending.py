"""Attaching and detaching a USB device, and what is found out when libvirt's reply is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from xml.etree import ElementTree

import libvirt
import pytest

from tui.host import HostError, Unsettled
from tui.host.libvirt.operation import ReplyLost
from tui.host.libvirt.usb import hostdev_xml, usb_devices
from tui.host.libvirt.usb_lending import lend, take_back
from tui.model import UsbHostDev, UsbMark
from tui.rules.usb import DISK, KEYBOARD

T = TypeVar("T")

PAD = UsbHostDev("045e", "02ea", 1, 7)
OLD = UsbHostDev("045e", "02ea", 1, 6)
MARK = UsbMark("0123456789abcdef", ("0301", "08"), frozenset({KEYBOARD, DISK}))


class Domain:
    """A running domain whose elements change only by live requests."""

    def __init__(self, *devices: UsbHostDev) -> None:
        self.devices = list(devices)
        self.asked: list[tuple[str, UsbHostDev]] = []
        self.refuses = False
        self.releases = True

    def attachDeviceFlags(self, xml: str, flags: int) -> None:
        device = self._request("attach", xml, flags)
        self.devices.append(device)

    def detachDeviceFlags(self, xml: str, flags: int) -> None:
        device = self._request("detach", xml, flags)
        if device not in self.devices:
            raise libvirt.libvirtError("device not found")
        if self.releases:
            self.devices.remove(device)

    def _request(self, what: str, xml: str, flags: int) -> UsbHostDev:
        assert flags == libvirt.VIR_DOMAIN_AFFECT_LIVE
        (device,) = parsed(xml)
        self.asked.append((what, device))
        if self.refuses:
            raise libvirt.libvirtError("no free USB port")
        return device

    def XMLDesc(self, flags: int) -> str:
        assert flags == 0
        return domain_xml("".join(map(hostdev_xml, self.devices)))


class Operation:
    """A domain's requests. ``loses`` says of the next request's reply whether the request was
    ``done`` or ``not done``; then libvirt is ``silent`` or answers again."""

    display_name = "win11"

    def __init__(self, domain: Domain, loses: str | None = None, *, silent: bool = False) -> None:
        self._domain, self._loses, self._silent = domain, loses, silent

    def request(self, action: Callable[[Any], T]) -> T:
        loses, self._loses = self._loses, None
        if loses != "not done":
            result = action(self._domain)
        if loses is not None:
            raise ReplyLost
        return result

    def refusal(self, error: libvirt.libvirtError) -> HostError:
        return HostError(f"libvirt could not: {error}")

    def poll_until(self, read: Callable[[], T], done: Callable[[T], bool]) -> T | None:
        return None if self._silent else read()


def parsed(xml: str) -> tuple[UsbHostDev, ...]:
    return usb_devices(ElementTree.fromstring(domain_xml(xml)))


def domain_xml(devices: str) -> str:
    uuid = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
    return f"<domain><name>win11</name><uuid>{uuid}</uuid><devices>{devices}</devices></domain>"


def attach(operation: Operation, *stale: UsbHostDev, objection: str | None = None) -> None:
    lend(operation, PAD, stale, lambda: objection)  # type: ignore[arg-type]


def detach(operation: Operation) -> None:
    take_back(operation, PAD)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "device",
    [
        PAD, UsbHostDev("046d", "c52b"), UsbHostDev(None, None, 2, 9),
        UsbHostDev("045e", "02ea", 1, 7, MARK),
        UsbHostDev("045e", "02ea", 1, 7, UsbMark("0" * 16)),
        UsbHostDev("045e", "02ea", 1, 7, UsbMark("0" * 16, (), frozenset({DISK}))),
        UsbHostDev("045e", "02ea", 1, 7, UsbMark("f" * 16, ("03",))),
    ],
)  # fmt: skip
def test_an_element_is_read_as_it_was_written(device: UsbHostDev) -> None:
    assert parsed(hostdev_xml(device)) == (device,)


def test_what_is_no_id_is_left_out() -> None:
    broken = "<hostdev type='usb'><source><vendor id='046d'/><address bus='x' device='0'/></source>"
    assert parsed(f"{broken}</hostdev><hostdev type='usb'/><hostdev type='scsi'/>") == ()


def test_a_mark_is_an_alias_that_libvirt_keeps() -> None:
    xml = hostdev_xml(UsbHostDev("045e", "02ea", 1, 7, MARK))
    assert "<alias name='ua-vfiotop-usb-0123456789abcdef-0301_08-kd'/>" in xml


@pytest.mark.parametrize(
    "alias",
    [
        "", "hostdev0", "ua-vfiotop", "ua-vfiotop-usb-0123-03", "ua-other-usb-0123456789abcdef-03",
        "ua-vfiotop-usb-0123456789abcdeg-03", "ua-vfiotop-usb-0123456789abcdef-03-k\n",
        "ua-vfiotop-usb-0123456789abcdef-" + "03_" * 100 + "03", "ua-vfiotop-usb-0123456789abcdef",
    ],
)  # fmt: skip
def test_another_alias_is_no_mark(alias: str) -> None:
    made = hostdev_xml(PAD).replace("</hostdev>", f"<alias name='{alias}'/></hostdev>")
    assert parsed(made.replace("\n", "&#10;")) == (PAD,)


def test_an_answer_that_is_not_known_was_not_given() -> None:
    made = hostdev_xml(UsbHostDev("045e", "02ea", 1, 7, MARK)).replace("-kd'", "-kxz'")
    (found,) = parsed(made)
    assert found.mark == UsbMark(MARK.who, MARK.functions, frozenset({KEYBOARD}))


def test_an_objection_keeps_the_record_of_the_lending() -> None:
    domain = Domain(OLD)
    with pytest.raises(HostError, match="unplugged"):
        lend(Operation(domain), PAD, [OLD], lambda: "it was unplugged")  # type: ignore[arg-type]
    assert domain.asked == []


def test_the_stale_element_goes_before_the_device_is_attached() -> None:
    domain = Domain(OLD)
    attach(Operation(domain), OLD)
    assert domain.asked == [("detach", OLD), ("attach", PAD)]
    assert domain.devices == [PAD]


def test_an_objection_attaches_nothing() -> None:
    domain = Domain()
    with pytest.raises(HostError, match="unplugged"):
        attach(Operation(domain), objection="it was unplugged")
    assert domain.asked == []


def test_a_refusal_is_passed_on() -> None:
    domain = Domain(PAD)
    domain.refuses = True
    for act in (attach, detach):
        with pytest.raises(HostError, match="no free USB port"):
            act(Operation(domain))


def test_a_device_that_the_domain_does_not_have_counts_as_detached() -> None:
    domain = Domain()
    detach(Operation(domain))
    assert domain.asked == [("detach", PAD)]


def test_a_device_that_is_not_released_is_told() -> None:
    domain = Domain(PAD)
    domain.releases = False
    with pytest.raises(Unsettled, match="has not released"):
        detach(Operation(domain))


def test_a_lost_reply_to_what_was_done_is_done() -> None:
    domain = Domain()
    attach(Operation(domain, "done"))
    assert domain.devices == [PAD]
    detach(Operation(domain, "done"))
    assert domain.devices == []


def test_a_lost_reply_to_what_was_not_done_is_an_error() -> None:
    with pytest.raises(HostError, match="was not attached to “win11”"):
        attach(Operation(Domain(), "not done"))
    with pytest.raises(HostError, match="was not detached from “win11”"):
        detach(Operation(Domain(PAD), "not done"))


def test_while_libvirt_is_silent_the_outcome_is_unknown() -> None:
    with pytest.raises(Unsettled, match="whether the device was attached to “win11”"):
        attach(Operation(Domain(), "done", silent=True))
