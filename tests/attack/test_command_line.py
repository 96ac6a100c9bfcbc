"""The program started by a shell in hostile conditions: streams closed, full or gone, other
locales, files of other kinds, arguments that are not text, exhausted limits, Ctrl-C at any moment.
Every error is one line with the right exit code, never a traceback."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.thorough import every_third, thorough
from tests.unit.cli.test_swap import shown_at

ROOT = Path(__file__).parents[2]
VFIOTOP = [sys.executable, "-m", "tui"]
DEMO = ("--demo", "gaming")
C_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
HOSTILE = "a\x1b[31m\u202e\x9b".encode() + b"\xff\n\x7f"
"""An escape sequence, a bidi override, a C1 control, invalid UTF-8, a newline, DEL."""

Argument = str | bytes
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment without the user's configuration."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "VFIOTOP"))}
    return {
        **kept, "LANG": "C.UTF-8", "HOME": str(tmp_path),
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', ROOT)}",
        "XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path),
    }  # fmt: skip


@pytest.fixture
def run(env: dict[str, str], tmp_path: Path) -> Run:
    """Runs ``vfiotop`` with these arguments; ``more`` is added to its environment."""

    def vfiotop(
        *arguments: Argument, more: dict[str, str] | None = None, **options: object
    ) -> subprocess.CompletedProcess[bytes]:
        settings = {
            "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
            "env": {**env, **(more or {})}, "cwd": tmp_path, "timeout": 120, **options,
        }  # fmt: skip
        return subprocess.run([*VFIOTOP, *arguments], check=False, **settings)  # type: ignore[call-overload,no-any-return]

    return vfiotop


def through_a_shell(script: str, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """``script`` in bash, in which ``vfiotop`` is the program."""
    command = f'set -o pipefail; vfiotop() {{ "{sys.executable}" -m tui "$@"; }}; {script}'
    return subprocess.run(
        ["bash", "-c", command], env=env, capture_output=True, check=False, timeout=120,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def complaint(printed: bytes) -> str:
    """Check that stderr is one printable line of ours, and return it."""
    text = printed.decode()
    assert text.startswith("vfiotop: "), text
    assert text.endswith("\n")
    assert text[:-1].isprintable()
    assert len(text) < 1100
    return text


# --- streams ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "closed",
    ["<&- >&- 2>&-", ">&-", *thorough("<&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-")],
)
@pytest.mark.parametrize(
    ("command", "code"),
    [("status --demo gaming", 0), ("pause --yes --demo gaming", 0), ("fly", 2)],
)
def test_some_streams_are_closed(env: dict[str, str], command: str, code: int, closed: str) -> None:
    done = through_a_shell(f"vfiotop {command} {closed}", env)
    assert done.returncode == code
    if code == 2 and "2>" not in closed:
        complaint(done.stderr)
    else:
        assert done.stderr == b""
    assert bool(done.stdout) == (code != 2 and ">&-" not in closed.replace("2>&-", ""))


@pytest.mark.parametrize(
    ("command", "code"),
    [("doctor --json --demo bad-acs", 1), ("--demo gaming", 2),
     *thorough(
         ("--help", 0), ("--demo list", 0), ("plan unbind --demo idle", 0),
         ("start --dry-run --demo idle", 0))],
)  # fmt: skip
def test_all_streams_are_closed(env: dict[str, str], command: str, code: int) -> None:
    assert through_a_shell(f"vfiotop {command} <&- >&- 2>&-", env).returncode == code


def with_at_its_end(code: str, seen: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The environment in which the program writes what ``code`` gives at its end into ``seen``."""
    (seen.parent / "sitecustomize.py").write_text(
        "import os\n"
        "leave = os._exit\n"
        f"os._exit = lambda code: (open({str(seen)!r}, 'w').write({code}), leave(code))\n"
    )
    return {"PYTHONPATH": f"{seen.parent}:{env['PYTHONPATH']}"}


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">&-", "2>&-"])
def test_no_file_gets_the_descriptor_of_a_stream(
    env: dict[str, str], tmp_path: Path, closed: str
) -> None:
    """The configuration is opened first: it would become stdout, and output would go to it."""
    seen = tmp_path / "seen"
    code = "' '.join(os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2))"
    more = with_at_its_end(code, seen, env)
    done = through_a_shell(f"vfiotop status --demo gaming {closed}", {**env, **more})
    assert done.returncode == 0
    streams = seen.read_text().split()
    for number, word in enumerate(("<&-", ">&-", "2>&-")):
        if word in closed.split():
            assert streams[number] == "/dev/null"


@pytest.mark.parametrize(
    ("command", "code"),
    [("status --demo gaming", 1), ("bind --dry-run --demo desk", 1),
     *thorough(
         ("doctor --demo desk", 1), ("--help", 1),
         ("status --json --demo gaming", 1), ("plan unbind --demo idle", 1), ("--version", 1),
         ("--demo list", 1), ("start --dry-run --demo idle", 1))],
)  # fmt: skip
def test_a_full_disk_is_an_error_for_commands_that_print(
    env: dict[str, str], command: str, code: int
) -> None:
    done = through_a_shell(f"vfiotop {command} >/dev/full", env)
    assert "could not be written: No space left on device" in complaint(done.stderr)
    assert done.returncode == code
    assert through_a_shell(f"vfiotop {command} >/dev/full 2>&1", env).returncode == code


@pytest.mark.parametrize("sink", every_third((
    ">/dev/full 2>&1", ">/dev/full", ">&-", "2>&1 | true", "2>/dev/full", "| true"
)))  # fmt: skip
def test_an_action_is_done_even_if_output_is_lost(env: dict[str, str], sink: str) -> None:
    assert through_a_shell(f"vfiotop pause --yes --demo gaming {sink}", env).returncode == 0


@pytest.mark.parametrize(
    ("command", "code"),
    [("status --demo gaming", 0), ("fly 2>&1", 2),
     *thorough(
         ("doctor --demo bad-acs", 1), ("--help", 0), ("--demo list", 0),
         ("plan unbind --demo idle", 0))],
)  # fmt: skip
def test_a_closed_pipe_is_no_error(env: dict[str, str], command: str, code: int) -> None:
    # The program starts when its reader has ended: the pipe's other end is closed for sure.
    script = f"exec 3> >(:); wait $!; vfiotop {command} >&3 3>&-"
    if "2>&1" in command:
        script = "exec 3> >(:); wait $!; vfiotop fly 2>&3 3>&-"
    done = through_a_shell(script, env)
    assert (done.returncode, done.stderr) == (code, b"")


def test_a_non_blocking_pipe_gets_everything(run: Run) -> None:
    """Another process may have made a pipe non-blocking, and read it slowly."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    argv = [*VFIOTOP, "status", "--json", "--demo", "crowd"]
    with subprocess.Popen(argv, stdout=writer, stderr=subprocess.PIPE, cwd=ROOT) as program:
        os.close(writer)
        with os.fdopen(reader) as file:
            assert json.loads(file.read())["schema"] == 1
        assert program.stderr is not None
        assert program.stderr.read() == b""
    assert program.returncode == 0


def test_a_plan_that_was_not_printed_is_not_asked_about(env: dict[str, str]) -> None:
    """The answer is on the terminal already, typed ahead."""
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*VFIOTOP, "pause", *DEMO], stdin=theirs, stdout=full, stderr=subprocess.PIPE,
            env=env, check=False, timeout=120,
        )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 1
    assert b"nothing was touched" in done.stderr


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1), (b"\xff\xfe\n", 1),
                                              (b"\x04", 1), (b"\n", 1)])  # fmt: skip
def test_an_answer_is_read_from_the_terminal(env: dict[str, str], answer: bytes, code: int) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    done = subprocess.run(
        [*VFIOTOP, "pause", *DEMO], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=env,
        check=False, timeout=120,
    )  # fmt: skip
    os.close(theirs)
    shown = shown_at(ours)
    os.close(ours)
    assert done.returncode == code
    assert b"now? [y/N] " in shown
    assert b"[y/N]" not in done.stdout


# --- locales ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(("status", *DEMO), 0, "73 C"), (("doctor", "--demo", "bad-acs"), 1, " -> "),
     *thorough((("--help",), 0, '"--demo list"'), (("--demo", "list"), 0, "gaming"),
               (("plan", "unbind", "--demo", "idle"), 0, "Ready"))],
)  # fmt: skip
def test_a_locale_without_utf_8(run: Run, arguments: Sequence[str], code: int, words: str) -> None:
    done = run(*arguments, more=C_LOCALE)
    assert (done.returncode, done.stderr) == (code, b"")
    text = done.stdout.decode("ascii")
    if "73 C" in words:
        assert " C  " in text
    else:
        assert words in text
    assert "?" not in text


def test_an_error_in_a_locale_without_utf_8(run: Run) -> None:
    done = run("bind", "x", *DEMO, more=C_LOCALE)
    assert done.stderr == b'vfiotop: "x" is not a PCI address such as 01:00.0\n'


def test_latin_1_keeps_its_characters(run: Run) -> None:
    text = run("status", *DEMO, more={"PYTHONIOENCODING": "iso-8859-1"}).stdout.decode("latin-1")
    assert "°C" in text


def test_json_in_every_locale(run: Run) -> None:
    printed = [
        json.loads(run("status", "--json", *DEMO, more=more).stdout)
        for more in ({}, C_LOCALE, {"PYTHONIOENCODING": "iso-8859-1"})
    ]
    names = [[(gpu["name"], gpu["role"]) for gpu in each["gpus"]] for each in printed]
    assert names[0] == names[1] == names[2]


# --- files ------------------------------------------------------------------------

NO_FILES: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "zero": lambda path: path.symlink_to("/dev/zero"),
    "kmsg": lambda path: path.symlink_to("/proc/kmsg"),
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path),
    "brackets": lambda path: path.write_bytes(b"[" * 65_000),
    "nested": lambda path: path.write_text("a = " + "[" * 5_000),
    "nested lines": lambda path: path.write_text("a = " + "[\n" * 5_000),
    "dotted": lambda path: path.write_text(".".join("a" * 30_000) + " = 1"),
    "digits": lambda path: path.write_text("interval = " + "9" * 400),
    "many digits": lambda path: path.write_text('{"theme": ' + "9" * 5_000 + "}"),
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "hostile": lambda path: path.write_text('"\\u001b[31m\\u202e" = 1'),
    "large": lambda path: path.write_bytes(b"#" * (1 << 20)),
}


@pytest.mark.parametrize("kind", every_third(NO_FILES))
def test_a_configuration_that_is_not_a_valid_file(run: Run, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "config.toml"
    NO_FILES[kind](path)
    done = run("status", *DEMO, "--config", str(path))
    assert done.returncode == 2
    assert str(path) in complaint(done.stderr)


@pytest.mark.parametrize("kind", ["fifo", "kmsg", "folder", "nested lines"])
def test_a_default_configuration_that_is_not_a_valid_file(
    run: Run, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "vfiotop").mkdir()
    NO_FILES[kind](tmp_path / "vfiotop" / "config.toml")
    assert run("status", *DEMO).returncode == 2


@pytest.mark.parametrize("kind", ["fifo", "kmsg", "folder", "brackets"])
def test_a_state_that_is_not_a_valid_file(run: Run, tmp_path: Path, kind: str) -> None:
    (tmp_path / "vfiotop").mkdir()
    NO_FILES[kind](tmp_path / "vfiotop" / "state.json")
    done = run("recover", "--readonly", "--connect", "test:///default")
    assert done.returncode in (0, 1)  # there may be no PCI bus to look at
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("named", [True, False])
def test_a_configuration_that_cannot_be_opened_is_an_error(
    env: dict[str, str], tmp_path: Path, named: bool
) -> None:
    """It says which card and which libvirt are meant."""
    path = tmp_path / "vfiotop/config.toml"
    path.parent.mkdir()
    path.write_text('guest_gpu = "01:00.0"')
    command = [*VFIOTOP, "status", *DEMO, *(["--config", str(path)] if named else [])]
    script = 'mount -t tmpfs none /proc; exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "-", *command], stdin=subprocess.DEVNULL,
        capture_output=True, env=env, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "/proc is not mounted" in complaint(done.stderr)


def test_no_configuration_at_all(run: Run) -> None:
    assert run("status", *DEMO, "--config", "/dev/null").returncode == 0


# --- signals ----------------------------------------------------------------------


def test_exit_codes_of_children_are_seen_despite_an_ignored_sigchld(
    run: Run, env: dict[str, str], tmp_path: Path
) -> None:
    """A parent may ignore SIGCHLD, as some daemons do: the kernel then keeps no exit status, but
    those of modprobe and sudo matter."""
    seen = tmp_path / "seen"
    more = with_at_its_end(
        "str(__import__('subprocess').run(['/bin/sh', '-c', 'exit 7']).returncode)", seen, env
    )
    ignored = partial(signal.signal, signal.SIGCHLD, signal.SIG_IGN)
    command = "doctor", "--connect", "test:///default"
    assert run(*command, preexec_fn=ignored).stdout == run(*command).stdout
    assert run(*command, preexec_fn=ignored, more=more).returncode == 1
    assert seen.read_text() == "7"


# --- arguments --------------------------------------------------------------------


@pytest.mark.parametrize("value", [HOSTILE, *thorough(b"x" * 100_000, b"")])
@pytest.mark.parametrize(
    "arguments",
    [["status", "--interval"], ["status", "--connect"], ["--demo", "idle", "bind"],
     ["--demo", "gaming", "force-off", "--yes"], ["plan"],
     *thorough(
         ["status", "--config"], ["status", "--demo"], ["--demo", "idle", "plan", "bind"],
         ["--demo", "idle", "start", "--yes"], [], ["status", "--no-such-option"],
         ["status", "--json", "too-much"])],
)  # fmt: skip
def test_arguments_that_are_not_text(run: Run, arguments: Sequence[str], value: bytes) -> None:
    """An empty one too: a script's unset variable does not mean the guest."""
    done = run(*arguments, value)
    assert done.returncode == 2
    assert done.stdout == b""
    complaint(done.stderr)


@pytest.mark.parametrize("value", [HOSTILE, b"\xff", b"x" * 4000])
def test_a_root_that_is_not_text(run: Run, value: bytes) -> None:
    done = run("status", "--root", value)
    assert done.returncode == 1
    complaint(done.stderr)


def test_names_of_a_captured_host_cannot_control_the_terminal(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "captured\x1b[31m\u202e"
    (root / "sys/bus/pci/devices/0000:00:00.0").mkdir(parents=True)
    (root / "proc/sys/kernel").mkdir(parents=True)
    (root / "proc/sys/kernel/hostname").write_bytes(HOSTILE)
    for way in ((), ("--json",)):
        done = run("status", *way, "--root", str(root))
        assert done.returncode == 0
        assert done.stdout.decode().replace("\n", "").isprintable()


# --- surroundings -----------------------------------------------------------------

READING = (
    ("status", "--readonly"), ("doctor",), ("plan", "bind"), ("bind", "--dry-run"),
    ("start", "--dry-run"), ("recover",), ("--demo", "list"), ("--version",), ("--help",),
)  # fmt: skip

FEW = READING[0], READING[3], READING[8]


def reads(run: Run, **surroundings: object) -> None:
    """Commands that only read exit with 0 or 1, with at most one line on stderr."""
    for command in FEW:
        done = run(*command, "--connect", "test:///default", **surroundings)
        assert done.returncode in (0, 1), (command, done.stderr)
        if done.stderr:
            complaint(done.stderr)


STRANGE = (
    {"HOME": "/nonexistent"}, {"XDG_CONFIG_HOME": "/dev/null", "XDG_STATE_HOME": "/dev/null"},
    {"LANG": "xx_YY.nonsense", "LC_ALL": "nonsense", "LANGUAGE": "../../x"}, C_LOCALE,
)  # fmt: skip
MORE_OF_IT = (
    {"HOME": "/dev/null"}, {"HOME": "\x1b[31m"},
    {"XDG_CONFIG_HOME": "relative", "XDG_STATE_HOME": "relative"},
    {"TERM": "", "COLUMNS": "0", "LINES": "-1"}, {"COLUMNS": "1"}, {"COLUMNS": "9" * 60},
    {"TZ": "nonsense/../../x"}, {"TMPDIR": "/nonexistent"}, {"PATH": ""},
    {"VFIOTOP_DEBUG": "\x1b[31m"},
)  # fmt: skip


@pytest.mark.parametrize(
    "more",
    every_third((*STRANGE, *MORE_OF_IT)),
    ids=" ".join,
)
def test_strange_environments(run: Run, more: dict[str, str]) -> None:
    reads(run, more=more)


def test_without_home(run: Run, env: dict[str, str]) -> None:
    bare = {k: v for k, v in env.items() if k != "HOME" and not k.startswith("XDG_")}
    reads(run, env=bare)


@pytest.mark.parametrize("uid", [61_234, *thorough(0)])
def test_a_user_without_a_passwd_entry(env: dict[str, str], tmp_path: Path, uid: int) -> None:
    """As in a container, which may have no passwd(5) and any user id. Without HOME, libraries
    write warnings to stderr, where the screen is drawn."""
    if os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    program, options = (VFIOTOP, {"env": env}) if uid == 0 else ordinary_user(env)
    kept: dict[str, str] = options.pop("env")  # type: ignore[assignment]
    kept = {k: v for k, v in kept.items() if k != "HOME" and not k.startswith("XDG_")}
    (tmp_path / "passwd").write_text("")
    (tmp_path / "nsswitch.conf").write_text("passwd: files\n")
    hidden = "; ".join(f"mount --bind {tmp_path}/{n} /etc/{n}" for n in ("passwd", "nsswitch.conf"))
    for command in (*FEW, ("status", *DEMO), ("recover",)):
        as_user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        script = f'{hidden}; cd /; exec "$@"'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", script, "-", *as_user, *program, *command,
             "--connect", "test:///default"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False, env=kept,
        )  # fmt: skip
        assert done.returncode in (0, 1)
        if done.stderr:
            assert "please report it" not in complaint(done.stderr)


def test_a_working_folder_that_was_deleted(env: dict[str, str], tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    script = f'mkdir "{gone}"; cd "{gone}"; rmdir "{gone}"; vfiotop'
    for command in FEW:
        done = through_a_shell(f"{script} {' '.join(command)}", env)
        assert done.returncode in (0, 1)
        if done.stderr:
            complaint(done.stderr)


def limited(limit: int, value: int) -> None:
    resource.setrlimit(limit, (value, value))


LIMITS = {
    "files": partial(limited, resource.RLIMIT_NOFILE, 10),
    "few files": partial(limited, resource.RLIMIT_NOFILE, 5),
    "size of files": partial(limited, resource.RLIMIT_FSIZE, 0),
    "stack": partial(limited, resource.RLIMIT_STACK, 256 << 10),
    "no umask": partial(os.umask, 0o777),
    "no locked memory": partial(limited, resource.RLIMIT_MEMLOCK, 0),
}


@pytest.mark.parametrize("name", every_third(LIMITS))
def test_limits_that_are_reached(run: Run, name: str) -> None:
    reads(run, preexec_fn=LIMITS[name])


@pytest.mark.parametrize("mebibytes", [48, *thorough(32, 64, 96)])
@pytest.mark.parametrize("command", [("--version",), ("plan", "bind", "--demo", "desk")])
def test_too_little_memory(run: Run, mebibytes: int, command: Sequence[str]) -> None:
    """Whatever fails: as long as Python itself starts, the error is one line."""
    limit = partial(limited, resource.RLIMIT_AS, mebibytes << 20)
    probe = [sys.executable, "-c", "import argparse, json, threading, tomllib, pathlib"]
    if subprocess.run(probe, preexec_fn=limit, check=False, capture_output=True).returncode:
        pytest.skip("Python does not start with that")
    done = run(*command, preexec_fn=limit)
    assert done.returncode in (0, 1)
    assert b"Traceback" not in done.stderr
    if done.stderr:
        complaint(done.stderr)


def ordinary_user(env: dict[str, str]) -> tuple[list[str], dict[str, object]]:
    """The program as a user other than root, whom limits affect: its command, and options for
    ``subprocess.run``."""
    if os.geteuid() != 0:
        return VFIOTOP, {"env": env}
    site = next(path for path in sys.path if path.endswith("site-packages"))
    reachable = {
        "PATH": env["PATH"], "HOME": "/nonexistent", "PYTHONPATH": f"{ROOT}:{site}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    options: dict[str, object] = {
        "user": 65534, "group": 65534, "extra_groups": [], "env": reachable, "cwd": "/"
    }  # fmt: skip
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            probe = [python, "-c", "import tui.host.real, textual"]
            if not subprocess.run(probe, check=False, capture_output=True, **options).returncode:  # type: ignore[call-overload]
                return [python, "-m", "tui"], options
        except OSError:
            continue
    pytest.skip("no other user can run this checkout")


@pytest.mark.parametrize(
    "command",
    every_third((each,) for each in READING),
)
def test_no_thread_may_start(env: dict[str, str], command: Sequence[str]) -> None:
    program, options = ordinary_user(env)
    done = subprocess.run(
        [*program, *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
        preexec_fn=partial(limited, resource.RLIMIT_NPROC, 0), check=False, **options,  # type: ignore[call-overload]
    )  # fmt: skip
    assert done.returncode in (0, 1)
    if done.stderr:
        assert "ulimit -u" in complaint(done.stderr)
    elif command[0] in ("status", "doctor"):
        assert b"no more processes or threads can be started" in done.stdout
    if command[0] == "recover":  # seeing nothing does not mean that nothing is there
        assert done.returncode == 1


# --- Ctrl-C -----------------------------------------------------------------------

MOMENTS = {
    "imports": "\nhere()\nuser_config_path = user_state_path = None\n",
    "work": "\ndef user_config_path(*_):\n here()\nuser_state_path = user_config_path\n",
    "end": "\nimport os, pathlib\nos._exit = lambda _code: here()\n"
    "def user_config_path(*_):\n return pathlib.Path('/nonexistent')\n"
    "user_state_path = user_config_path\n",
}
"""Replacements for platformdirs, which is imported early. They stop the program in its imports,
in its work, and after its last output."""


@pytest.mark.parametrize("moment", ["work", *thorough("imports", "end")])
def test_ctrl_c(env: dict[str, str], tmp_path: Path, moment: str) -> None:
    reached, reaches = os.pipe()
    waits = f"def here():\n import os, time\n os.close({reaches})\n time.sleep(600)\n"
    (tmp_path / "platformdirs.py").write_text(waits + MOMENTS[moment])
    with subprocess.Popen(
        [*VFIOTOP, "status", *DEMO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd=tmp_path, pass_fds=[reaches],
        env={**env, "PYTHONPATH": f"{tmp_path}:{env['PYTHONPATH']}"},
        # A shell that started us in the background has it ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as program:  # fmt: skip
        os.close(reaches)
        os.read(reached, 1)  # until it is there
        os.close(reached)
        program.send_signal(signal.SIGINT)
        _, printed = program.communicate(timeout=120)
    assert program.returncode == -signal.SIGINT
    assert printed == b""


# --- what nobody expected ---------------------------------------------------------

DEFECT = "\ndef user_config_path(*_):\n raise KeyError('\\x1b[31mno\\nway')\nuser_state_path = None"


@pytest.mark.parametrize("debug", ["", "1"])
def test_an_unexpected_error_is_one_line_and_a_traceback_with_debug(
    run: Run, env: dict[str, str], tmp_path: Path, debug: str
) -> None:
    (tmp_path / "platformdirs.py").write_text(DEFECT)
    more = {"PYTHONPATH": f"{tmp_path}:{env['PYTHONPATH']}", "VFIOTOP_DEBUG": debug}
    done = run("status", *DEMO, more=more)
    assert done.returncode == 1
    assert b"\x1b" not in done.stderr
    assert (b"Traceback" in done.stderr) == bool(debug)
    assert "please report it" in complaint(done.stderr.splitlines(keepends=True)[-1])
