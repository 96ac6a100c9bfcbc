"""What can be done to domains, as a protocol; and the control of a host that is read-only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tui.host.errors import HostError
from tui.model import GuestAction, Guests, UsbHostDev

Forbids = Callable[[Guests], str | None]
"""A rule over all domains: why no further domain may start, or ``None``."""


Objection = Callable[[], str | None]
"""A last check: why an action must not be done after all, or ``None``."""


class GuestControl(Protocol):
    """Carries out the user's actions on domains.

    Domains are named by UUID; ``name`` is the raw name that the user saw, and a domain that now has
    another name is left alone. Every method may block as long as libvirt does. Raises ``HostError``
    if nothing was done, ``Unsettled`` if it was left half done or the outcome is not known.
    """

    @property
    def unavailable_reason(self) -> str | None:
        """Why nothing can be done to domains at all, in a sentence; else ``None``."""
        ...

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        """Act on the domain, or ask its guest to act.

        Later readings show the result. A domain that is already off counts as stopped.
        """
        ...

    def start(self, uuid: str, forbids: Forbids, name: str | None = None) -> None:
        """Start the domain unless ``forbids`` objects.

        ``forbids`` is called right before the start, while no swap is under way, and again before
        the guest's first instruction.
        """
        ...

    def lend_usb(
        self,
        uuid: str,
        device: UsbHostDev,
        stale: Sequence[UsbHostDev],
        objection: Objection,
        name: str | None = None,
    ) -> None:
        """Attach a USB device to the running domain; its definition stays as it is.

        First removes the ``stale`` ones, which are unplugged. ``objection`` is called right before
        the device is attached.
        """
        ...

    def return_usb(self, uuid: str, device: UsbHostDev, name: str | None = None) -> None:
        """Detach a USB device from the running domain. One that it does not have counts as
        detached."""
        ...

    def definition(self, uuid: str) -> str:
        """Return the XML that the domain uses from its next start on, secrets included."""
        ...

    def define(self, uuid: str, before: str, after: str) -> None:
        """Replace the definition by ``after``, if it is still ``before``."""
        ...


class ReadOnlyControl:
    """Does nothing to domains, for hosts that are read-only."""

    unavailable_reason = "this host is read-only: guests cannot be started or stopped"

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        raise HostError(self.unavailable_reason)

    def start(self, uuid: str, forbids: Forbids, name: str | None = None) -> None:
        raise HostError(self.unavailable_reason)

    def lend_usb(
        self,
        uuid: str,
        device: UsbHostDev,
        stale: Sequence[UsbHostDev],
        objection: Objection,
        name: str | None = None,
    ) -> None:
        raise HostError(self.unavailable_reason)

    def return_usb(self, uuid: str, device: UsbHostDev, name: str | None = None) -> None:
        raise HostError(self.unavailable_reason)

    def definition(self, uuid: str) -> str:
        raise HostError(self.unavailable_reason)

    def define(self, uuid: str, before: str, after: str) -> None:
        raise HostError(self.unavailable_reason)
