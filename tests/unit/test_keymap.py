"""The keys that the configuration gives to commands."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.binding import BindingsMap
from textual.keys import Keys, _character_to_key

from tui.commands import COMMANDS, REMAPPED, SIGNS, bindings, clashes, keys_of, mapped, of_screen
from tui.keymap import FIXED, KEPT, LISTS, MOVES, NAMED, OWN, checked, described, is_key, keymap


def test_the_table_itself_has_no_clash() -> None:
    assert clashes(COMMANDS) == []
    others = keys_of(COMMANDS, *(c.id for c in COMMANDS if c.id in REMAPPED and not c.first))
    assert not others & {*LISTS, *FIXED}
    assert keys_of(COMMANDS, "keep") <= LISTS, "it is first"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ({"bind": "f2"}, (("bind", "f2"),)),
        ({"bind": "f2, B"}, (("bind", "f2,B"),)),
        ({"help": "f1,?"}, (("help", "f1,question_mark"),)),
        ({"filter": "comma"}, (("filter", "comma"),)),
        ({"bind": "u", "unbind": "b"}, (("bind", "u"), ("unbind", "b"))),
        ({"despite": ""}, (("despite", ""),)),
        ({"keep": "k"}, (("keep", "k"),)),
        ({"quit": "ctrl+q"}, (("quit", "ctrl+q"),)),
        ({"stop": "alt+x", "force": "ctrl+f9"}, (("force", "ctrl+f9"), ("stop", "alt+x"))),
        ({}, ()),
    ],
)
def test_keys_are_kept_as_textual_names_them(
    written: dict[str, str], kept: tuple[tuple[str, str], ...]
) -> None:
    assert checked(written) == kept


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([], "keys must be a table"),
        ("b", "keys must be a table"),
        ({"bnid": "x"}, "there is no command “bnid”; did you mean “bind”?"),
        ({"panel": "6"}, "there is no command “panel”"),
        ({"x" * 500: "x"}, "there is no command “x"),
        ({"bind": 2}, "keys.bind must be a key in quotes"),
        ({"bind": ["b"]}, "keys.bind must be a key in quotes"),
        ({"bind": "bb"}, "keys.bind: “bb” is not a key"),
        ({"bind": "b,"}, "keys.bind: “” is not a key"),
        ({"bind": ","}, "keys.bind: “” is not a key"),
        ({"bind": "\x1b"}, "is not a key"),
        ({"bind": "ctrl+i"}, "keys.bind: “ctrl+i” is not a key"),
        ({"bind": "b,b"}, "keys.bind names a key twice"),
        ({"bind": "?,question_mark"}, "keys.bind names a key twice"),
        ({"bind": "a,f,n,v,k"}, "more than 4 keys"),
        ({"bind": "x" * 200}, "too long"),
        ({"bind": "k"}, "keys.bind: k moves through lists"),
        ({"keep": "j"}, "keys.keep: j moves through lists"),
        ({"bind": "j"}, "keys.bind: j moves through lists"),
        ({"bind": "tab"}, "keys.bind: tab always goes to the next panel"),
        ({"bind": "ctrl+q"}, "keys.bind: ctrl+q always means “quit”"),
        ({"bind": "ctrl+p"}, "keys.bind: ctrl+p always means “palette”"),
        ({"bind": "u"}, "keys.bind: u is already the key of “unbind” on the same screen"),
        ({"bind": "5"}, "keys.bind: 5 is already the key of “panel”"),
        ({"theme": "y"}, "keys.theme: y is already the key of"),
        ({"bind": "f2", "unbind": "f2"}, "f2 is already the key of"),
        ({"quit": ""}, "keys.quit must name at least one key"),
        ({"help": ""}, "keys.help must name at least one key"),
    ],
)
def test_an_error_names_the_key(written: object, words: str) -> None:
    with pytest.raises(ValueError, match=r"^keys") as caught:
        checked(written)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


@given(st.dictionaries(
    st.sampled_from(sorted(REMAPPED)) | st.text(max_size=6),
    st.one_of(st.integers(), st.sampled_from(["f2", "b", "u", "", "ctrl+k", "?"]),
              st.text(max_size=6)), max_size=4,
))  # fmt: skip
def test_what_passes_has_no_clash_and_only_real_keys(written: dict[str, Any]) -> None:
    try:
        kept = checked(written)
    except ValueError as error:
        assert str(error).startswith("keys")
        return
    commands = mapped(dict(kept))
    assert clashes(commands) == []
    assert all(is_key(key) for _, keys in kept for key in keys.split(",") if key)
    assert all(command.each_key for command in commands if command.id in KEPT)


def test_every_character_of_a_keyboard_has_textuals_name() -> None:
    for character in string.ascii_letters + string.digits + string.punctuation:
        name = _character_to_key(character)
        assert is_key(name)
        assert SIGNS.get(name, name) == character


def test_the_other_names_are_textuals() -> None:
    known = {key.value for key in Keys}
    for name in (*NAMED, *(f"ctrl+{key}" for key in MOVES), *(f"shift+{key}" for key in MOVES)):
        assert is_key(name)
        assert name in known


@pytest.mark.parametrize("command", sorted(REMAPPED))
def test_textual_takes_each_key_away_from_where_it_was(command: str) -> None:
    """The keymap and the table agree on every screen."""
    keys = checked({command: "f24"})
    commands = mapped(dict(keys))
    screens = {screen for each in COMMANDS for screen in each.screens}
    for screen in screens:
        made = BindingsMap(bindings(screen))
        made.apply_keymap(keymap(keys))
        wanted = {key for each in of_screen(screen, commands) for key in each.each_key}
        assert set(made.key_to_bindings) == wanted


def test_a_command_without_keys_has_no_binding() -> None:
    keys = checked({"despite": ""})
    made = BindingsMap(bindings("swap"))
    made.apply_keymap(keymap(keys))
    assert "Y" not in made.key_to_bindings
    assert not any(is_key(key) for key, each in made if each.id == "despite")


def test_what_is_remapped_in_words() -> None:
    keys = checked({"bind": "f2,B", "despite": "", "quit": "ctrl+x"})
    assert list(described(keys)) == ["bind f2 B", "despite no key", "quit ^x"]


def test_own_keys_are_those_that_textual_binds_anyway() -> None:
    from textual.app import App

    assert {"ctrl+q", App.COMMAND_PALETTE_BINDING} == set(OWN)
