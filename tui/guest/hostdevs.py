"""Gives a guest another card: its definition is changed in nothing but its hostdevs, and the
one that it had is kept, for undo and for whoever wants it back a year later."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tui.host import GuestControl, HostError, Unsettled
from tui.host.libvirt.domain_edit import replace_hostdevs
from tui.host.libvirt.domain_xml import DefinitionError
from tui.model import Domain, Gpu, HostView
from tui.process.files import write_atomically
from tui.rules.stale_hostdevs import strays


@dataclass(frozen=True, slots=True)
class Change:
    """A changed definition. ``kept`` is where the one before lies; ``rom`` are the <rom>
    files that are still those of the card before."""

    uuid: str
    before: str
    after: str
    backup: Path
    rom: tuple[str, ...] = ()


def replaced(domain: Domain, card: Gpu, gpus: Sequence[Gpu]) -> tuple[str, ...]:
    """The hostdevs of other cards in the domain, which ``card`` comes in place of."""
    others = {a for gpu in gpus if gpu.address != card.address for a in gpu.viability.moves}
    return tuple(a for a in _hostdevs(domain) if a in others and a not in card.viability.moves)


def stale(domain: Domain, card: Gpu, view: HostView) -> Mapping[str, str]:
    """Its hostdevs that are for certain not what they were, by address, and why, in words that
    complete "it …". ``card`` comes in their place too."""
    hostdevs, named = _hostdevs(domain), card.viability.moves
    found = (s for s in strays(domain, view) if s.certain)
    return {s.address: s.why for s in found if s.address in hostdevs and s.address not in named}


def _hostdevs(domain: Domain) -> tuple[str, ...]:
    """What a <hostdev> names: nothing else of a definition is changed."""
    return tuple(dev.address for dev in domain.hostdevs if dev.by == "hostdev")


def doubtful(domain: Domain, card: Gpu, view: HostView) -> Mapping[str, str]:
    """Those that stay and may be the old address of a card, and why."""
    named = card.viability.moves
    found = strays(domain, view)
    return {s.address: s.why for s in found if not s.certain and s.address not in named}


def missing(domain: Domain, card: Gpu) -> tuple[str, ...]:
    """The functions of the card that the domain does not name."""
    return tuple(a for a in card.viability.moves if a not in domain.addresses)


def assign(
    control: GuestControl, domain: Domain, card: Gpu, gpus: Sequence[Gpu], *, folder: Path,
    at: datetime, gone: Collection[str] = (),
) -> Change:  # fmt: skip
    """Have the domain name ``card`` with all its functions in place of other cards and of the
    hostdevs that are ``gone`` astray. Raises ``Unsettled`` where that is not known or cannot be
    read back, and ``HostError`` where nothing was changed."""
    before = control.definition(domain.uuid)
    try:
        out = (*replaced(domain, card, gpus), *gone)
        edited = replace_hostdevs(before, card.viability.moves, out)
    except DefinitionError as error:
        raise HostError(f"the definition of {domain.name} was left alone: {error}") from error
    kept = folder / f"{_file_name(domain)}-{at:%Y%m%d-%H%M%S-%f}.xml"
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, before)
    except OSError as error:
        raise HostError(
            f"the definition of {domain.name} was left alone: it could not be kept in {kept}: "
            f"{error.strerror}"
        ) from error
    try:
        control.define(domain.uuid, before, edited.xml)
    except Unsettled as error:
        raise Unsettled(f"{error}. {_restore_hint(kept)}") from error
    try:
        after = control.definition(domain.uuid)
    except HostError as error:
        raise Unsettled(
            f"{domain.name} names the card now, but it cannot be read back: {error}. "
            f"{_restore_hint(kept)}"
        ) from error
    return Change(domain.uuid, before, after, kept, edited.rom)


def _restore_hint(kept: Path) -> str:
    return f"The definition before is kept: `virsh define {shlex.quote(str(kept))}` restores it"


def undo(control: GuestControl, change: Change) -> None:
    """Give it the definition back that it had, where nobody has changed it since."""
    control.define(change.uuid, change.after, change.before)


def _file_name(domain: Domain) -> str:
    """A domain's name may be anything; a file's may not, and no two domains share one."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", domain.raw_name)[:60]
    return f"{name or 'domain'}-{domain.uuid}"
