"""Who may move a card, and with whose code."""

from __future__ import annotations

import pytest

from tui.model import Code, Readiness
from tui.rules import privilege
from tui.rules.privilege import check, polkit_rule, sudoers_line

SWAP = "/usr/local/lib/vfiotop/swap"
INSTALLED = Code("root", swap=SWAP, user="player")


def of(code: Code | None, *, root: bool = False) -> Readiness:
    return Readiness(root=root, vfio_pci=True, code=code)


@pytest.mark.parametrize(
    ("code", "verdict", "words"),
    [
        (None, "warn", "only root can move a card"),
        (INSTALLED, "warn", "nobody else can change the code it runs"),
        (Code("user", "player", "/srv/x"), "warn", "code that player can change (/srv/x)"),
        (Code("others", "everybody", "/srv"), "fail", "code that everybody can change (/srv)"),
        (Code("unknown", "/a: Permission denied"), "unknown", "(/a: Permission denied)"),
    ],
)
def test_an_ordinary_user(code: Code | None, verdict: str, words: str) -> None:
    found = check(of(code))
    assert found.verdict == verdict
    assert words in found.why
    # Also for users without a checkout, as with pipx.
    ways = "a package or `sudo make install` in a "
    assert (ways in (found.fix or "")) == (code not in (None, INSTALLED))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "root"),
        (INSTALLED, "root"),
        (Code("others", "player", "/srv/x"), "root, with code that player can change (/srv/x)"),
        (Code("unknown", "/a: gone"), "root; cannot tell who can change the code that it runs"),
    ],
)
def test_root_passes_whoever_wrote_the_code(code: Code | None, words: str) -> None:
    found = check(of(code, root=True), grants=True)
    assert (found.verdict, found.fix) == ("pass", None)
    assert found.why.startswith(words)
    assert words != "root" or found.why == words


def test_only_an_installation_can_be_allowed_without_a_password_and_only_doctor_says_how() -> None:
    line, rule = sudoers_line(SWAP, "player"), polkit_rule(SWAP, "player")
    fix = check(of(INSTALLED), grants=True).fix or ""
    assert f"`{line}`" in fix
    assert f"`{rule}`" in fix
    assert check(of(INSTALLED)).fix == privilege.ELEVATE
    for code in (Code("root", user="player"), Code("user", "player", "/srv", SWAP, "player")):
        assert "NOPASSWD" not in (check(of(code), grants=True).fix or "")


def test_the_lines_name_the_program_without_wildcards() -> None:
    assert sudoers_line(SWAP, "player") == f"player ALL=(root) NOPASSWD:NOSETENV: {SWAP}"
    rule = polkit_rule(SWAP, "player")
    for part in (
        f'action.lookup("program") == "{SWAP}"',
        'action.lookup("user") == "root"',
        'subject.user == "player"',
        'action.id == "org.freedesktop.policykit.exec"',
    ):
        assert part in rule


@pytest.mark.parametrize("name", ["user 1234", "ALL, x", 'a"; evil(); "', "%wheel", "#0", ""])
def test_a_name_that_means_something_else_there_is_left_out(name: str) -> None:
    fix = check(of(Code("root", swap=SWAP, user=name)), grants=True).fix or ""
    assert f"`{sudoers_line(SWAP, 'USER')}`" in fix
    assert not name or name not in fix
