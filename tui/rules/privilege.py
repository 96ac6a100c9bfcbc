"""privilege: root moves a card, with code that nobody else can change."""

from __future__ import annotations

import re

from tui.model import Check, Code, Readiness

ID = "privilege"

ELEVATE = "run it with sudo, doas, run0 or pkexec"
INSTALL = "a package or `sudo make install` in a checkout puts it where only root can change it"
FRESH = INSTALL.replace("a checkout", "a fresh checkout")

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
"""A user's name that means itself in a shell, in sudoers(5) and in a rule of polkit(8)."""

SOMEBODY = "USER"
"""Stands for a user's name that is not known. ``$USER`` would be root's in a root shell."""


def check(readiness: Readiness, *, grants: bool = False) -> Check:
    """privilege: we are root, or an ordinary user who may become root for a swap.

    With ``grants``, the fix says how to allow the user swaps without a password.
    """
    code = readiness.code
    if readiness.root is None:
        return Check(ID, None, "unknown", "only root can move a card, and a capture has no user")
    if readiness.root:
        return Check(ID, None, "pass", _as_root(code))
    return _as_user(code, grants=grants)


def _as_user(code: Code | None, *, grants: bool) -> Check:
    if code is None:
        return Check(ID, None, "warn", "only root can move a card", ELEVATE)
    if code.refusal is not None:
        unknown = code.writers == "unknown"
        return Check(ID, None, "unknown" if unknown else "fail", code.refusal, FRESH)
    if code.writers == "user":
        return Check(ID, None, "warn", "only root can move a card, and it would run code that "
                     f"{code.who} can change ({code.path})", f"{ELEVATE}; {INSTALL}")  # fmt: skip
    why = "only root can move a card; nobody else can change the code it runs"
    if code.swap is None or not grants:
        return Check(ID, None, "warn", why, ELEVATE)
    return Check(ID, None, "warn", why, f"{ELEVATE}; {_grants(code.swap, code.user)}")


def _as_root(code: Code | None) -> str:
    if code is None or code.writers == "root":
        return "root"
    if code.writers == "unknown":
        return f"root; cannot tell who can change the code that it runs ({code.who})"
    return f"root, with code that {code.who} can change ({code.path})"


def _grants(program: str, user: str) -> str:
    """How to allow a user the swap without a password, and nothing else as root."""
    name = plain_name(user)
    return (
        f"to let {name} move cards without a password: `{sudoers_line(program, name)}` in "
        "/etc/sudoers.d/vfiotop (`visudo -f` checks it), or for pkexec "
        f"`{polkit_rule(program, name)}` in /etc/polkit-1/rules.d/50-vfiotop.rules"
    )


def join_group(code: Code | None) -> str:
    """How the user who runs this joins libvirt's group."""
    name = plain_name(code.user) if code is not None else SOMEBODY
    return f"`usermod -aG libvirt {SOMEBODY if name == 'root' else name}` and log in again"


def plain_name(user: str) -> str:
    """The user's name if it is safe in a command, else ``SOMEBODY``."""
    return user if _PLAIN_NAME.fullmatch(user) else SOMEBODY


def sudoers_line(program: str, user: str) -> str:
    """Return a line of sudoers(5). Without arguments it allows any, and the program refuses what
    is not a request. NOSETENV: no variables on sudo's command line."""
    return f"{user} ALL=(root) NOPASSWD:NOSETENV: {program}"


def polkit_rule(program: str, user: str) -> str:
    """Return a rule of polkit(8) for pkexec(1). run0 does not tell polkit which program it runs, so
    a rule for it would allow any."""
    return (
        "polkit.addRule(function(action, subject) { "
        'if (action.id == "org.freedesktop.policykit.exec" && '
        f'action.lookup("program") == "{program}" && action.lookup("user") == "root" && '
        f'subject.user == "{user}") return polkit.Result.YES; }});'
    )
