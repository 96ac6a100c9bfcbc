"""The configuration: errors name the file and what is wrong."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui import config
from tui.config import Config, ConfigError


def load(tmp_path: Path, text: str | bytes) -> Config:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return config.load(path)


def test_every_key(tmp_path: Path) -> None:
    text = """
        connect = "qemu:///session"
        interval = 2
        guest_gpu = "01:00.0"
        guest = "win11"
        theme = "vfiotop-light"
        elevation = "doas"
        guest_readings = "on"
        guest_interval = 10
        [watch]
        after_stop = "unbind"
        pause = 5
        at_boot = "bind"
        on_event = ["/usr/bin/tell", "me"]
        metrics = "[::1]:9835"
        metrics_token_file = "/etc/vfiotop/token"
        history = true
        [keys]
        bind = "f2"
        help = "?, f1"
    """
    found = load(tmp_path, text)
    assert found == Config(
        "qemu:///session", 2.0, "0000:01:00.0", "win11", "vfiotop-light", "doas",
        tmp_path / "config.toml", "on", 10.0, (("bind", "f2"), ("help", "question_mark,f1")),
        "unbind", "bind", 5.0, ("/usr/bin/tell", "me"), "[::1]:9835", "/etc/vfiotop/token", True,
    )  # fmt: skip
    hash(found)


def test_metrics_can_be_switched_off(tmp_path: Path) -> None:
    assert load(tmp_path, "[watch]\nmetrics = ''").metrics == ""


def test_without_a_file_the_defaults_apply(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config.load() == Config()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("guset = 'win11'", "unknown key “guset”"),
        ("guest = 7", "guest must be a string"),
        ("watch = 7", "watch must be a table"),
        ("after_stop = 'unbind'", "unknown key “after_stop”"),
        ("[watch]\nguest = 'win11'", "unknown key “guest” in [watch]; valid keys are after_stop"),
        ("[watch]\nafter_stop = 'reboot'", "after_stop must be one of keep, unbind"),
        ("[watch]\nat_boot = true", "at_boot must be a string"),
        ("[watch]\npause = -1", "pause must be a number of seconds from 0 to 3600"),
        ("[watch]\npause = true", "pause must be a number of seconds"),
        ("[watch]\npause = nan", "pause must be a number of seconds"),
        ("[watch]\nhistory = 'yes'", "history must be true or false"),
        ("[watch]\nhistory = 1", "history must be true or false"),
        ("[watch]\non_event = 'tell me'", "on_event must be a list of strings"),
        ("[watch]\non_event = ['tell', 'me']", "on_event needs the full path"),
        ("[watch]\non_event = ['/bin/x', 7]", "on_event must be a list of strings"),
        ('[watch]\non_event = ["/bin/x", "a\\u0000b"]', "on_event must be a list of strings"),
        ("[watch]\nmetrics = '0.0.0.0:9835'", "metrics: 0.0.0.0 can be reached from other"),
        ("[watch]\nmetrics = 9835", "metrics must be a string"),
        ("[watch]\nmetrics_token_file = 'token'", "“token” is not the full path of a file"),
        ("[watch]\nmetrics_token_file = ''", "metrics_token_file must be a string"),
        ("[watch]\non_event = [" + "'/x', " * 40 + "]", "longer than a command needs"),
        ("interval = 0", "interval must be a number of seconds"),
        ("interval = nan", "interval must be a number of seconds"),
        ("guest_gpu = 'first'", "not a PCI address"),
        ("guest = ", "Invalid value"),
        (b"\xff\xfe", "utf-8"),
        ("# " + "x" * 70_000, "larger than"),
        ("#" * 600, "a line is longer than"),
        ("a = " + "[\n" * 5_000, "nested too deeply"),
        ("interval = " + "9" * 400, "interval must be a number of seconds"),
        ("interval = 0x" + "f" * 400, "interval must be a number of seconds"),
        ("interval = " + "9" * 5_000, "a line is longer than"),
        ("interval = -inf", "interval must be a number of seconds"),
        ("interval = -0", "interval must be a number of seconds"),
        ("interval = 1e999", "interval must be a number of seconds"),
        ("interval = true", "interval must be a number of seconds"),
        ("interval = 2024-01-01", "interval must be a number of seconds"),
        ("interval = [1]", "interval must be a number of seconds"),
        ("guest_interval = nan", "interval must be a number of seconds"),
        ("interval = 1\ninterval = 2", "overwrite"),
        ("interval = 1\0", "at line 1"),
        ("guest = 'a'\rinterval = 1", "at line 1"),
        ("guest = " + "'" * 3 + "x\n" * 1_000 + "'" * 3, "is not a name"),
        ('guest = "\\u001b[31m"', "is not a name"),
        ('connect = "a\\u202eb"', "a\u202eb"),
        ("[guest]\nname = 'x'", "guest must be a string"),
        ("keys = 'b'", "keys must be a table"),
        ("[keys]\nbnid = 'b'", "there is no command “bnid”; did you mean “bind”?"),
        ("[keys]\nbind = 'u'", "keys.bind: u is already the key of “unbind”"),
        ("[keys.bind]\na = 1", "keys.bind must be a key in quotes"),
        ("[keys]\n\"\\u001b[2J\" = 'b'", "there is no command"),
    ],
)
def test_the_error_names_what_is_wrong(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml: ") as caught:
        load(tmp_path, text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400


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


def test_byte_order_mark_and_crlf_are_accepted(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbfinterval = 2\r\nguest = 'a'\r\n").interval == 2.0


def test_a_name_is_not_normalised(tmp_path: Path) -> None:
    assert load(tmp_path, 'guest = "gaming\\u200b"').guest == "gaming\u200b"


@pytest.mark.parametrize("place", ["/dev/zero", "/proc/kmsg", "/etc"])
def test_a_path_that_is_no_file_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "config.toml").symlink_to(place)
    with pytest.raises(ConfigError, match="not a regular file"):
        config.load(tmp_path / "config.toml")


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.toml")
    with pytest.raises(ConfigError, match="not a regular file"):
        config.load(tmp_path / "config.toml")


@pytest.mark.parametrize("home", ["/dev/null", "/nonexistent"])
def test_a_home_that_is_not_a_folder_has_no_configuration(
    monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", home)
    assert config.load() == Config()


KEYS = st.sampled_from(["connect", "interval", "guest_gpu", "guest", "theme", "a.b", '"\\u001b"'])
VALUES = st.one_of(
    st.integers().map(str), st.floats().map(str), st.booleans().map(lambda b: str(b).lower()),
    st.text(max_size=10).map(json.dumps),
    st.sampled_from(["[[", "{a = 1}", "1979-05-27", '"' * 3]),
)  # fmt: skip
LINES = st.builds("{} = {}".format, KEYS, VALUES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(
    st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")),
    st.lists(LINES, max_size=5).map(lambda lines: "\n".join(lines).encode("utf-8", "replace")),
))  # fmt: skip
def test_any_content_is_a_configuration_or_an_error(tmp_path: Path, written: bytes) -> None:
    try:
        found = load(tmp_path, written)
    except ConfigError as error:
        assert len(str(error)) < 600
    else:
        low, high = config.INTERVAL_RANGE
        assert low <= found.interval <= high
        assert found.connect.isprintable()


@pytest.mark.parametrize("text", ["1_0", "１", "9" * 400, "9" * 5_000, "nan", "inf", "-0", "1e400",
                                  "0x10", "", " 1", "1 ", "true", "\x1b", "\udcff"])  # fmt: skip
def test_seconds_are_digits(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number of seconds"):
        config.interval(text)


@pytest.mark.parametrize(("text", "seconds"), [("1", 1.0), ("0.5", 0.5), (".5", 0.5), ("2.", 2.0)])
def test_seconds_from_digits(text: str, seconds: float) -> None:
    assert config.interval(text) == seconds
