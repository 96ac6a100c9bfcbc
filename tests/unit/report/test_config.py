"""The configuration as text: it lists every key, and loads as what it was made from."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tui import config
from tui.commands import COMMANDS, REMAPPED
from tui.config import SETTINGS, Config
from tui.keymap import checked, written
from tui.report.config import as_json, as_toml

NAMES = {setting.name for setting in SETTINGS}

FULL = Config(
    "qemu:///session", 0.25, "0000:01:00.0", 'my "gäming" \\ 🎮\u200b', "vfiotop-light", "doas",
    None, "off", 30.0, (("bind", "f2"), ("despite", ""), ("help", "question_mark,f1,comma")),
    "unbind", "bind", 90.0, ("/usr/bin/tell", "--title", 'my "gäming" \\'),
)  # fmt: skip


def uncommented(text: str) -> str:
    """The text with every key set."""
    return re.sub(r"^#(?=[\w-]+ =)", "", text, flags=re.MULTILINE)


def test_the_table_has_every_field() -> None:
    assert NAMES | {"file", "keys"} == set(Config.__struct_fields__)


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("settings", [Config(), FULL])
def test_it_loads_as_it_was(settings: Config, ascii_only: bool) -> None:
    text = as_toml(settings, ascii_only=ascii_only)
    assert text.replace("\n", "").isprintable()
    assert text.isascii() or not ascii_only
    assert config.parse(tomllib.loads(text)) == settings


@given(st.builds(
    lambda guest, theme: Config(guest=guest, theme=theme),
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30),
    st.text(min_size=1, max_size=30).filter(lambda t: t.isprintable()) | st.just("a\x7f\x9f\nb"),
))  # fmt: skip
def test_any_text_loads_as_it_was(settings: Config) -> None:
    assert config.parse(tomllib.loads(as_toml(settings))) == settings


def test_it_has_every_key_with_a_valid_value() -> None:
    for settings in (Config(), FULL):
        table = tomllib.loads(uncommented(as_toml(settings)))
        assert set(table) | set(table["watch"]) == NAMES | {"keys", "watch"}
        assert set(table["keys"]) == REMAPPED
        config.parse(table)


def test_only_what_is_set_is_no_comment() -> None:
    assert tomllib.loads(as_toml(Config())) == {"keys": {}, "watch": {}}
    settings = Config(interval=2.0, pause=5.0, keys=(("bind", "f2"),))
    table = tomllib.loads(as_toml(settings))
    assert table == {"interval": 2, "watch": {"pause": 5}, "keys": {"bind": "f2"}}


def test_a_path_stays_in_its_comment() -> None:
    settings = replace(FULL, file=Path('/tmp/a\ninterval = 3600\n# "/b'))
    assert config.parse(tomllib.loads(as_toml(settings))) == replace(settings, file=None)


def test_json_has_every_key_with_value_default_and_meaning() -> None:
    printed = json.loads(json.dumps(as_json(FULL)))
    assert set(printed["config"]) | set(printed["watch"]) == NAMES
    assert set(printed["keys"]) == REMAPPED
    assert printed["config"]["interval"]["value"] == 0.25
    assert printed["config"]["interval"]["default"] == 1.0
    assert printed["config"]["guest"]["default"] is None
    assert printed["keys"]["help"]["value"] == "?, f1, comma"
    assert printed["keys"]["bind"]["default"] == "b"
    assert all(
        each["means"] for part in ("config", "watch", "keys") for each in printed[part].values()
    )


def test_the_keys_of_the_table_can_be_written() -> None:
    defaults = {c.id: c.keys for c in COMMANDS if c.id in REMAPPED}
    assert dict(checked({name: written(keys) for name, keys in defaults.items()})) == defaults


def test_the_themes_are_named() -> None:
    from tui.theme import CYCLE

    means = next(setting.means for setting in SETTINGS if setting.name == "theme")
    assert set(re.findall(r"[a-z]+-[a-z]+", means)) == set(CYCLE)
