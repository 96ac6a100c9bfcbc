"""What an installation needs of the locked packages."""

from __future__ import annotations

from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def needed(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """The packages that one needs, and those that they need."""
    found: set[str] = set()
    for text in requires(name) or []:
        wanted = Requirement(text)
        chosen = extras or {""}
        if wanted.marker and not any(wanted.marker.evaluate({"extra": e}) for e in chosen):
            continue
        found |= {canonicalize_name(wanted.name)}
        found |= needed(wanted.name, frozenset(wanted.extras))
    return found


def test_the_list_is_what_the_program_needs() -> None:
    listed = (ROOT / ".packaging" / "packages").read_text().split()
    assert listed == sorted(needed("vfiotop"))


def test_each_of_the_list_is_locked() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    locked = {line.partition("==")[0] for line in lock.splitlines() if line[:1].isalpha()}
    assert set((ROOT / ".packaging" / "packages").read_text().split()) <= locked
