"""Gives a guest another card: its definition is changed in nothing but its hostdevs, and the
one that it had is kept, for undo and for whoever wants it back a year later."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tui.config import write_atomically
from tui.host import GuestControl, HostError, Unsettled
from tui.host.domain_edit import with_functions
from tui.host.domain_xml import DefinitionError
from tui.model import Domain, Gpu


@dataclass(frozen=True, slots=True)
class Change:
    """A changed definition. ``kept`` is where the one before lies; ``rom`` are the <rom>
    files that are still those of the card before."""

    uuid: str
    before: str
    after: str
    kept: Path
    rom: tuple[str, ...] = ()


def leaving(domain: Domain, card: Gpu, gpus: Sequence[Gpu]) -> tuple[str, ...]:
    """The functions of other cards that the domain names, which ``card`` comes in place of."""
    others = {a for gpu in gpus if gpu.address != card.address for a in gpu.viability.moves}
    return tuple(a for a in domain.addresses if a in others and a not in card.viability.moves)


def missing(domain: Domain, card: Gpu) -> tuple[str, ...]:
    """The functions of the card that the domain does not name."""
    return tuple(a for a in card.viability.moves if a not in domain.addresses)


def give(
    control: GuestControl, domain: Domain, card: Gpu, gpus: Sequence[Gpu], *, folder: Path,
    at: datetime,
) -> Change:  # fmt: skip
    """Have the domain name ``card`` with all its functions in place of other cards. Raises
    ``Unsettled`` where that is not known or cannot be read back, and ``HostError`` where
    nothing was changed."""
    before = control.definition(domain.uuid)
    try:
        edited = with_functions(before, card.viability.moves, leaving(domain, card, gpus))
    except DefinitionError as error:
        raise HostError(f"the definition of {domain.name} was left alone: {error}") from error
    kept = folder / f"{_file_name(domain)}-{at:%Y%m%d-%H%M%S-%f}.xml"
    try:
        write_atomically(kept, before)
    except OSError as error:
        raise HostError(
            f"the definition of {domain.name} was left alone: it could not be kept in {kept}: "
            f"{error.strerror}"
        ) from error
    try:
        control.define(domain.uuid, before, edited.xml)
    except Unsettled as error:
        raise Unsettled(f"{error}. {_way_back(kept)}") from error
    try:
        after = control.definition(domain.uuid)
    except HostError as error:
        raise Unsettled(
            f"{domain.name} names the card now, but it cannot be read back: {error}. "
            f"{_way_back(kept)}"
        ) from error
    return Change(domain.uuid, before, after, kept, edited.rom)


def _way_back(kept: Path) -> str:
    return f"The definition before is kept: `virsh define {shlex.quote(str(kept))}` restores it"


def undo(control: GuestControl, change: Change) -> None:
    """Give it the definition back that it had, where nobody has changed it since."""
    control.define(change.uuid, change.after, change.before)


def _file_name(domain: Domain) -> str:
    """A domain's name may be anything; a file's may not, and no two domains share one."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", domain.raw_name)[:60]
    return f"{name or 'domain'}-{domain.uuid}"
