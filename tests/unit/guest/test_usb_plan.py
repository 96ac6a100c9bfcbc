"""Lending a USB device and taking it back: the plan, and what is checked again."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.ui.rig import GUESTS, WIN11, FakeControl, Held, Rig
from tests.unit.rules.usb_made import keyboard, lent_as, running, stick, usb
from tui.guest.usb import LendingLost, NoSuchDevice, attach_again, execute, usb_plan_once
from tui.guest.usb_plan import make_plan
from tui.host import Host, HostError, Unsettled
from tui.model import (
    Attachment,
    Domain,
    Guests,
    Holder,
    Holders,
    Unavailable,
    UsbAction,
    UsbDevice,
    UsbHostDev,
    UsbPlan,
    UsbReading,
    UsbRule,
)
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent
from tui.rules.roles import Choice
from tui.rules.usb import DISK, KEYBOARD, USES
from tui.rules.usb_lendings import Replugged, lendings
from tui.swap.consent import consent_to

PAD = usb("1-3", 7, "045e:02ea", serial="30")
ADAPTER = usb(attached=(Attachment("bluetooth", "hci0", "connects a keyboard", in_use=True),))
RULE = UsbRule("045e", "02ea")
YES = Consent()


class Bench:
    """A host with USB devices and a running guest, and the requests to its libvirt."""

    def __init__(self, *devices: UsbDevice, domains: tuple[Domain, ...] = (WIN11,)) -> None:
        self.rig, self.control = Rig(), FakeControl()
        self.rig.control = self.control
        self.put(*devices, domains=domains)

    def put(self, *devices: UsbDevice, domains: tuple[Domain, ...] = (WIN11,)) -> None:
        self.rig.usb.reading = UsbReading(devices)
        self.rig.guests.reading = replace(GUESTS, domains=domains)

    def host(self) -> Host:
        return self.rig.reopen()

    def plan(self, rule: UsbRule = RULE, action: UsbAction = "lend") -> UsbPlan:
        return usb_plan_once(self.host(), Choice(), action, rule, uuid=WIN11.uuid)

    def carry_out(self, plan: UsbPlan, consent: Consent = YES) -> None:
        execute(self.host(), Choice(), plan, consent)


def having(*devices: UsbDevice) -> Domain:
    return replace(WIN11, usb=tuple(UsbHostDev.of(each) for each in devices))


def whys(plan: UsbPlan) -> list[str]:
    return [check.why for check in plan.refusals]


def test_a_device_is_lent_and_taken_back() -> None:
    bench = Bench(PAD)
    plan = bench.plan()
    assert plan.texts[0].endswith("it must be 045e:02ea number 7")
    assert "attach-device --live win11" in plan.texts[1]
    assert (plan.refusals, plan.doubts) == ((), ())
    bench.carry_out(plan)
    bench.put(replace(PAD, taken=True), domains=(having(PAD),))
    bench.carry_out(bench.plan(action="return"))
    assert bench.control.asked == [("lend 7", WIN11.uuid), ("return 7", WIN11.uuid)]


def test_which_device_is_meant() -> None:
    bench = Bench(PAD, replace(PAD, port="2-1", number=3, serial="31"), usb("1-9"))
    with pytest.raises(NoSuchDevice, match="2 devices match: name one by its port, 1-3, 2-1"):
        bench.plan()
    assert bench.plan(UsbRule("045e", "02ea", "31")).device.port == "2-1"
    assert bench.plan(UsbRule(port="1-3")).device == PAD
    with pytest.raises(NoSuchDevice, match="no such USB device"):
        bench.plan(UsbRule(port="7-7"))


def test_without_usb_or_a_guest_there_is_no_plan() -> None:
    bench = Bench(PAD)
    bench.rig.usb.reading = HostError("no USB devices")
    with pytest.raises(HostError, match="no USB devices"):
        bench.plan()
    bench.put(PAD, domains=())
    with pytest.raises(HostError, match="no domain is defined"):
        bench.plan()


@pytest.mark.parametrize(
    ("device", "why"),
    [
        (replace(PAD, hub=True), "a hub is not lent"),
        (replace(PAD, ready=False), "not configured"),
        (replace(PAD, taken=True), "a program has it open"),
    ],
)
def test_what_is_never_lent(device: UsbDevice, why: str) -> None:
    bench = Bench(device)
    plan = bench.plan()
    assert why in whys(plan)[0]
    with pytest.raises(Refused, match=why):
        bench.carry_out(plan, Consent(everything=True))
    assert bench.control.asked == []


def test_the_program_that_has_it_is_named() -> None:
    bench = Bench(replace(PAD, taken=True))
    node = Holder(PAD.controller or "", 4711, "gphoto2", "/dev/bus/usb/001/007")
    other = replace(node, pid=5, name="Xorg", what="/dev/input/event3")
    bench.rig.inspector.found = Holders((other, node))
    assert whys(bench.plan()) == ["gphoto2 (4711) has it open"]
    bench.rig.inspector.found = HostError("no processes")
    assert whys(bench.plan()) == ["a program has it open through usbfs"]


@pytest.mark.parametrize(("name", "whys_"), [("qemu-system-x86", 1), ("fwupd", 0)])
def test_another_qemu_has_it_before_it_claims_an_interface(name: str, whys_: int) -> None:
    bench = Bench(PAD)
    holder = Holder(PAD.controller or "", 4711, name, "/dev/bus/usb/001/007")
    bench.rig.inspector.found = Holders((holder, replace(holder, what="/dev/bus/usb/001/008")))
    assert len(whys(bench.plan())) == whys_


def test_a_guest_must_run_and_libvirt_must_answer() -> None:
    off = replace(WIN11, state="shut off")
    assert whys(Bench(PAD, domains=(off,)).plan()) == ["“win11” is shut off"]
    kept = replace(WIN11, state="crashed", preserved=True)
    assert whys(Bench(PAD, domains=(kept,)).plan()) == ["“win11” is crashed"]
    reading, unknown = UsbReading((PAD,)), replace(WIN11, state="unknown")
    lost = make_plan("lend", PAD, unknown, reading, Unavailable("libvirtd is down"))
    assert whys(lost) == ["libvirtd is down"]
    assert [check.id for check in lost.doubts] == ["guest.state"]
    shy: Guests = replace(GUESTS, readonly=True)
    assert "is read-only for you" in whys(make_plan("lend", PAD, WIN11, reading, shy))[0]
    away: Guests = replace(GUESTS, uri="qemu+ssh://other/system")
    for action in ("lend", "return"):
        refused = whys(make_plan(action, PAD, WIN11, reading, away))
        assert refused[0] == (
            "qemu+ssh://other/system is libvirt on other over ssh, not on this machine"
        )


def test_what_a_guest_has_is_lent_to_no_other_and_only_it_returns_it() -> None:
    other = running("other", PAD)
    bench = Bench(PAD, domains=(WIN11, other))
    lend, back = bench.plan(), bench.plan(action="return")
    assert (whys(lend), whys(back)) == (["“other” has it"], ["“win11” does not have it"])
    assert lend.refusals[0].fix == "`vfiotop usb return 1-3 other`"


@pytest.mark.parametrize("device", [keyboard("1-1"), stick("1-1"), ADAPTER])
def test_what_the_host_would_miss_takes_a_question_of_its_own(device: UsbDevice) -> None:
    bench = Bench(device)
    plan = bench.plan(UsbRule(port="1-1"))
    (doubt,) = plan.doubts
    for consent in (YES, consent_to(plan)):
        with pytest.raises(Doubtful, match=doubt.id):
            bench.carry_out(plan, consent)
    assert bench.control.asked == []
    bench.carry_out(plan, consent_to(plan, doubts=True))
    assert bench.control.asked == [("lend 2", WIN11.uuid)]


def test_a_stick_that_was_mounted_after_the_plan_is_not_lent_unasked() -> None:
    bench = Bench(stick("1-1", mounted=False))
    plan = bench.plan(UsbRule(port="1-1"))
    bench.put(stick("1-1"))
    with pytest.raises(Doubtful, match="is mounted at /media/x"):
        bench.carry_out(plan, consent_to(plan))
    assert bench.control.asked == []


def test_a_device_that_was_replugged_after_the_plan_is_not_lent() -> None:
    bench = Bench(PAD)
    plan = bench.plan()
    bench.put(replace(PAD, number=8))
    with pytest.raises(Refused, match="was replugged"):
        bench.carry_out(plan)
    bench.put(replace(PAD, serial="31"))
    with pytest.raises(NoSuchDevice):
        bench.carry_out(plan)
    assert bench.control.asked == []


def test_it_is_checked_again_right_before_libvirt_attaches_it() -> None:
    bench = Bench(PAD)
    plan, source = bench.plan(), Held(UsbReading((PAD,)))

    class Late(FakeControl):
        """The device is replugged just before libvirt is asked."""

        def lend_usb(self, *arguments: Any, **named: Any) -> None:
            source.reading = UsbReading((replace(PAD, number=8),))
            super().lend_usb(*arguments, **named)

    control = Late()
    with pytest.raises(Refused, match="unplugged meanwhile"):
        execute(replace(bench.host(), usb=source, control=control), Choice(), plan, YES)
    assert control.asked == []


def test_the_element_of_the_unplugged_device_goes_first() -> None:
    bench = Bench(replace(PAD, number=8), domains=(having(PAD),))
    bench.carry_out(bench.plan())
    assert bench.control.asked == [("return 7", WIN11.uuid), ("lend 8", WIN11.uuid)]


def test_what_libvirt_says_is_passed_on() -> None:
    bench = Bench(PAD)
    plan = bench.plan()
    bench.control.answer = HostError("no free USB port")
    with pytest.raises(Refused, match="no free USB port"):
        bench.carry_out(plan)
    bench.control.answer = Unsettled("cannot tell yet")
    with pytest.raises(Unsettled, match="cannot tell yet"):
        bench.carry_out(plan)
    bench.control.unavailable_reason = "this host is read-only"
    with pytest.raises(Refused, match="read-only"):
        bench.carry_out(plan)


# --- unplugged ------------------------------------------------------------------------


def test_a_lent_device_that_is_unplugged_can_be_returned() -> None:
    bench = Bench(domains=(lent(PAD),))
    for rule in (RULE, UsbRule(port="1-0.7")):
        plan = bench.plan(rule, "return")
        assert (plan.refusals, plan.device.away) == ((), True)
    bench.carry_out(plan)
    assert bench.control.asked == [("return 7", WIN11.uuid)]
    with pytest.raises(NoSuchDevice):
        bench.plan(action="lend")


def test_one_that_came_back_meanwhile_is_looked_at_again() -> None:
    bench = Bench(domains=(lent(PAD),))
    plan = bench.plan(action="return")
    bench.put(replace(PAD, number=8), domains=(lent(PAD),))
    with pytest.raises(NoSuchDevice):
        bench.carry_out(plan)
    assert bench.control.asked == []


def test_one_that_is_there_is_meant_before_one_that_is_unplugged() -> None:
    other = replace(PAD, port="1-4", number=9, serial="31")
    guest = replace(WIN11, usb=(lent_as(PAD), lent_as(other)))
    assert Bench(other, domains=(guest,)).plan(action="return").device == other


# --- attached again -------------------------------------------------------------------


AGAIN = replace(PAD, number=8)


def lent(device: UsbDevice, *accepted: str, **facts: Any) -> Domain:
    """The guest with a device that was lent with vfiotop."""
    return replace(WIN11, usb=(lent_as(device, *accepted),), **facts)


def replugged(domain: Domain, device: UsbDevice, *, changed: bool = False) -> Replugged:
    (lending,) = lendings([domain])
    return Replugged(lending, device, changed)


class Noting(FakeControl):
    """Notes the elements that are attached."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[UsbHostDev] = []

    def lend_usb(self, uuid: str, device: UsbHostDev, *rest: Any) -> None:
        self.elements.append(device)
        super().lend_usb(uuid, device, *rest)


def test_a_lent_device_carries_its_mark_and_keeps_it_over_replugs() -> None:
    bench, control = Bench(keyboard("1-1", serial="7")), Noting()
    host = replace(bench.host(), control=control)
    plan = bench.plan(UsbRule(port="1-1"))
    execute(host, Choice(), plan, consent_to(plan, doubts=True))
    (element,) = control.elements
    assert element == lent_as(keyboard("1-1", serial="7"), KEYBOARD)
    domain, other = replace(WIN11, usb=(element,)), keyboard("1-2", 3)
    bench.put(keyboard("1-1", 9, serial="7"), other, domains=(domain,))
    host = replace(bench.host(), control=control)
    attach_again(host, Choice(), replugged(domain, keyboard("1-1", 9, serial="7")))
    assert control.elements[1] == replace(element, number=9)


@pytest.mark.parametrize(
    ("device", "id"),
    [
        (keyboard("1-1", 8), KEYBOARD), (stick("1-1", 8), DISK),
        (usb("1-1", 8, unreadable=("what is mounted",)), USES),
    ],
)  # fmt: skip
def test_what_was_asked_is_not_asked_again_and_nothing_else_is_taken(
    device: UsbDevice, id: str
) -> None:
    before = replace(device, number=2)
    for accepted in ((), (id,), ("usb.network",)):
        domain = lent(before, *accepted)
        bench = Bench(device, domains=(domain,))
        if accepted == (id,):
            attach_again(bench.host(), Choice(), replugged(domain, device))
            assert bench.control.asked == [("return 2", WIN11.uuid), ("lend 8", WIN11.uuid)]
            continue
        with pytest.raises(Doubtful, match=id):
            attach_again(bench.host(), Choice(), replugged(domain, device))
        assert bench.control.asked == []


def test_what_came_back_as_something_else_stays() -> None:
    domain = lent(PAD)
    bench = Bench(AGAIN, domains=(domain,))
    with pytest.raises(Refused, match="did not have when it was lent"):
        attach_again(bench.host(), Choice(), replugged(domain, AGAIN, changed=True))
    assert bench.control.asked == []


def test_another_device_or_guest_than_was_seen_gets_nothing() -> None:
    domain = lent(PAD)
    again = replugged(domain, AGAIN)
    for device, guest in (
        (replace(PAD, number=9), domain), (replace(AGAIN, serial="31"), domain),
        (AGAIN, replace(domain, name="other")), (AGAIN, replace(domain, uuid=WIN11.uuid[::-1])),
        (AGAIN, replace(domain, state="shut off")),
    ):  # fmt: skip
        bench = Bench(device, domains=(guest,))
        with pytest.raises((Refused, HostError)):
            attach_again(bench.host(), Choice(), again)
        assert bench.control.asked == []


@pytest.mark.parametrize("rival", [True, False])
def test_what_another_vfiotop_attached_first_is_no_failure(rival: bool) -> None:
    domain = lent(PAD)
    bench = Bench(AGAIN, domains=(domain,))
    guests = Held(replace(GUESTS, domains=(domain,)))

    class Late(FakeControl):
        """libvirt refuses, because another program was faster."""

        def lend_usb(self, *arguments: Any, **named: Any) -> None:
            if rival:
                guests.reading = replace(GUESTS, domains=(lent(AGAIN),))
            raise HostError("the device is in use by driver QEMU")

    host = replace(bench.host(), guests=guests, control=Late())
    if rival:
        attach_again(host, Choice(), replugged(domain, AGAIN))
        return
    with pytest.raises(Refused, match="in use by driver QEMU") as error:
        attach_again(host, Choice(), replugged(domain, AGAIN))
    assert not isinstance(error.value, LendingLost)


def test_a_lending_whose_element_went_without_another_one_is_lost() -> None:
    domain = lent(PAD)
    bench = Bench(AGAIN, domains=(domain,))
    guests = Held(replace(GUESTS, domains=(domain,)))

    class Loose(FakeControl):
        """The device is unplugged once its old element is gone."""

        def lend_usb(self, *arguments: Any, **named: Any) -> None:
            guests.reading = replace(GUESTS, domains=(WIN11,))
            raise HostError("no such device")

    host = replace(bench.host(), guests=guests, control=Loose())
    with pytest.raises(LendingLost, match="no such device"):
        attach_again(host, Choice(), replugged(domain, AGAIN))
