"""The configuration: what is wrong is named, with the file it stands in."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import config
from tui.config import Config, ConfigError


def load(tmp_path: Path, text: str | bytes) -> Config:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return config.load(path)


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    text = """
        connect = "qemu:///session"
        interval = 2
        guest_gpu = "01:00.0"
        guest = "win11"
        theme = "vfiotop-light"
        elevation = "doas"
    """
    assert load(tmp_path, text) == Config(
        "qemu:///session", 2.0, "0000:01:00.0", "win11", "vfiotop-light", "doas",
        tmp_path / "config.toml",
    )  # fmt: skip


def test_no_file_in_the_usual_place_is_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config.load() == Config()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("guset = 'win11'", "unknown key “guset”"),
        ("guest = 7", "guest must be a text"),
        ("interval = 0", "interval must be a number of seconds"),
        ("interval = nan", "interval must be a number of seconds"),
        ("guest_gpu = 'first'", "not a PCI address"),
        ("guest = ", "Invalid value"),
        (b"\xff\xfe", "utf-8"),
        ("# " + "x" * 70_000, "larger than"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml: ") as caught:
        load(tmp_path, text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        config.load(tmp_path / "none.toml")


@given(st.text(max_size=20))
def test_address_is_a_full_address_or_an_error(text: str) -> None:
    try:
        full = config.address(text)
    except ValueError:
        return
    assert len(full) == len("0000:01:00.0")
    assert config.address(full) == full
