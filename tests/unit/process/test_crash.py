"""Unexpected errors: one line, and an exit code that says whether an action had begun."""

from __future__ import annotations

import threading

import pytest

from tui.process import crash
from tui.process.crash import OutcomeUnknown, describe, may_have_begun, report_unexpected


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VFIOTOP_DEBUG", raising=False)


def raised(error: Exception) -> Exception:
    """The error as it leaves an action."""
    with pytest.raises(Exception) as caught, may_have_begun(KeyError):
        raise error
    return caught.value


def test_an_unexpected_error_fails_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert report_unexpected(ValueError("no\nway\x1b[31m")) == 1
    printed = capfd.readouterr().err
    assert printed.startswith(r"vfiotop: an unexpected error (ValueError: no way\x1b[31m); please")
    assert printed.count("\n") == 1


def test_after_an_action_has_begun_the_outcome_is_unknown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    error = raised(ValueError("no way"))
    assert isinstance(error, OutcomeUnknown)
    assert report_unexpected(error) == 3
    printed = capfd.readouterr().err
    assert "ValueError: no way" in printed
    assert "vfiotop recover" in printed
    assert printed.count("\n") == 1


def test_expected_errors_pass_through() -> None:
    assert isinstance(raised(KeyError("x")), KeyError)


@pytest.mark.parametrize("value", ["1", "yes", "\x1b[31m"])
def test_debug_prints_a_traceback(
    value: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VFIOTOP_DEBUG", value)
    assert report_unexpected(raised(ValueError("no\x1bway"))) == 3
    printed = capfd.readouterr().err
    assert "Traceback" in printed
    assert "raise error" in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize("value", ["", "0"])
def test_no_traceback_without_debug(
    value: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VFIOTOP_DEBUG", value)
    report_unexpected(ValueError("no way"))
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (OSError(12, "Cannot allocate memory"), "not enough memory"),
        (OSError(24, "Too many open files"), "ulimit -n"),
        (BlockingIOError(11, "Resource temporarily unavailable"), "ulimit -u"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
        (ImportError("libvirt.so.0: cannot open shared object file"), "reinstall vfiotop"),
        (ImportError("libz.so: failed to map segment from shared object"), "not enough memory"),
        (KeyError("x"), "please report it"),
    ],
)
def test_a_system_limit_has_its_own_sentence(error: Exception, words: str) -> None:
    assert words in describe(error)


def test_a_thread_that_dies_prints_nothing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    crash.silence_tracebacks()
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    assert capfd.readouterr().err == ""
