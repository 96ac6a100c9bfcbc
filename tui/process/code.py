"""The code that root runs for a swap, and who can change it.

That is the interpreter, what it imports, and this program: root runs all of it as its own.
"""

from __future__ import annotations

import grp
import os
import pwd
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tui.model import Code
from tui.process.ownership import EVERYBODY, GROUP, USER, Part, Writer, below, judge, parts

_OTHERS_PACKAGES = ("site-packages", "dist-packages")
"""Below the standard library; an environment has its own, on ``sys.path``."""


def swap_program() -> str | None:
    """Return the program of an installation that takes one request for a swap, and nothing
    else. A checkout has none."""
    program = Path(sys.prefix, "swap")
    installed = sys.prefix != sys.base_prefix and program.is_file()
    return str(program) if installed else None


@cache
def code() -> Code:
    """Judge the code of this process once."""
    return judge_code()


def judge_code() -> Code:
    """Judge the code of this process for the user who started it.

    Looks at every file that could be imported, about 10 µs each. As root it looks at folders only,
    for ``vfiotop doctor``: it is too late to refuse.
    """
    user = os.getuid()
    try:
        verdict = judge(_parts(deep=user != 0), user, _own_groups(user))
    except OSError as error:
        why = f"{error.filename or 'a folder'}: {error.strerror or error}"
        return Code("unknown", who=why, user=_user(user))
    who = _name(verdict.by) if verdict.by else ""
    return Code(verdict.writers, who, verdict.path, swap_program(), _user(user))


def _parts(*, deep: bool) -> Iterator[Part]:
    """Yield what the code consists of, and the way to it.

    -I leaves out PYTHONPATH and the current folder for root. If this process has them, they count
    as well.
    """
    program = swap_program()
    libraries = Path(sys.base_prefix, "lib").glob("libpython3*.so*")
    for file in (sys.executable, f"{sys.prefix}/pyvenv.cfg", program, *map(str, libraries)):
        if file is not None:
            yield from parts(file)
    for place in sys.path:
        if place.startswith("/"):
            yield from parts(place)
            if deep and Path(place).is_dir():
                yield from below(place, _OTHERS_PACKAGES)


def _own_groups(user: int) -> frozenset[int]:
    """Return the user's private group, if there is one: of the same name and with no other member.
    Its members may write what useradd(8) and a umask of 002 made for the user alone."""
    try:
        entry = pwd.getpwuid(user)
        group = grp.getgrgid(entry.pw_gid)
    except KeyError:
        return frozenset()
    private = group.gr_name == entry.pw_name and set(group.gr_mem) <= {entry.pw_name}
    return frozenset({group.gr_gid}) if private else frozenset()


def _name(writer: Writer) -> str:
    if writer.kind == USER:
        return _user(writer.id)
    if writer.kind == GROUP:
        try:
            return f"group {grp.getgrgid(writer.id).gr_name}"
        except KeyError:
            return f"group {writer.id}"
    assert writer.kind == EVERYBODY
    return EVERYBODY


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
