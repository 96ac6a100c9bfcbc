"""Gives a guest another card by changing the hostdevs in its definition, and nothing else.

The previous definition is saved to a file, for undo and for anyone who wants to
restore it later.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from tui.host import GuestControl, HostError, Unsettled
from tui.host.libvirt.domain_edit import replace_hostdevs
from tui.host.libvirt.domain_xml import DefinitionError
from tui.model import Domain, Gpu, HostView, virsh
from tui.process.files import write_atomically
from tui.rules.stale_hostdevs import stale_devices


class Change(Struct, frozen=True):
    """A changed definition.

    ``backup`` is the file with the previous one. ``rom`` are <rom> files that still belong to the
    previous card.
    """

    uuid: str
    before: str
    after: str
    backup: Path
    rom: tuple[str, ...] = ()


def replaced(domain: Domain, card: Gpu, gpus: Sequence[Gpu]) -> tuple[str, ...]:
    """Return the domain's hostdevs that name other cards, which ``card`` replaces."""
    others = {a for gpu in gpus if gpu.address != card.address for a in gpu.viability.moves}
    return tuple(a for a in _hostdevs(domain) if a in others and a not in card.viability.moves)


def stale(domain: Domain, card: Gpu, view: HostView) -> Mapping[str, str]:
    """Return hostdevs that certainly name the wrong device now, by address; ``card`` replaces them.

    The value is the reason, in words that complete "it …".
    """
    hostdevs, named = _hostdevs(domain), card.viability.moves
    found = (s for s in stale_devices(domain, view) if s.certain)
    return {s.address: s.why for s in found if s.address in hostdevs and s.address not in named}


def _hostdevs(domain: Domain) -> tuple[str, ...]:
    """Return what the <hostdev> elements name; no other element is changed."""
    return tuple(dev.address for dev in domain.hostdevs if dev.by == "hostdev")


def doubtful(domain: Domain, card: Gpu, view: HostView) -> Mapping[str, str]:
    """Return hostdevs that stay but may be the old address of a card, with the reason."""
    named = card.viability.moves
    found = stale_devices(domain, view)
    return {s.address: s.why for s in found if not s.certain and s.address not in named}


def missing(domain: Domain, card: Gpu) -> tuple[str, ...]:
    """Return the card's functions that the domain does not name."""
    return tuple(a for a in card.viability.moves if a not in domain.addresses)


def assign(
    control: GuestControl, domain: Domain, card: Gpu, gpus: Sequence[Gpu], *, folder: Path,
    at: datetime, stale: Collection[str] = (),
) -> Change:  # fmt: skip
    """Make the domain name all functions of ``card``, replacing other cards and ``stale`` ones.

    Raises ``HostError`` if nothing was changed, and ``Unsettled`` if that is unknown or the
    result cannot be read back.
    """
    before = control.definition(domain.uuid)
    try:
        out = (*replaced(domain, card, gpus), *stale)
        edited = replace_hostdevs(before, card.viability.moves, out)
    except DefinitionError as error:
        raise HostError(f"the definition of {domain.name} was not changed: {error}") from error
    backup = folder / f"{_file_name(domain)}-{at:%Y%m%d-%H%M%S-%f}.xml"
    try:
        backup.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(backup, before)
    except OSError as error:
        raise HostError(
            f"the definition of {domain.name} was not changed: it could not be saved to {backup}: "
            f"{error.strerror}"
        ) from error
    try:
        control.define(domain.uuid, before, edited.xml)
    except Unsettled as error:
        raise Unsettled(f"{error}. {_restore_hint(domain, backup)}") from error
    try:
        after = control.definition(domain.uuid)
    except HostError as error:
        raise Unsettled(
            f"{domain.name} now names the card, but its definition cannot be read back: {error}. "
            f"{_restore_hint(domain, backup)}"
        ) from error
    return Change(domain.uuid, before, after, backup, edited.rom)


def _restore_hint(domain: Domain, backup: Path) -> str:
    command = virsh("define", shlex.quote(str(backup)), uri=domain.uri)
    return f"The previous definition is saved: `{command}` restores it"


def undo(control: GuestControl, change: Change) -> None:
    """Restore the previous definition, unless somebody has changed it since."""
    control.define(change.uuid, change.after, change.before)


def _file_name(domain: Domain) -> str:
    """Return a safe file name for a domain, unique because of its UUID."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", domain.raw_name)[:60]
    return f"{name or 'domain'}-{domain.uuid}"
