"""The program in on_event, run for real."""

from __future__ import annotations

import json
import os
import pwd
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.made import NOON
from tui.model import Event
from tui.model.errors import VfiotopError
from tui.report.event import as_json
from tui.watch import program
from tui.watch.program import SAID_LIMIT, WAITING_LIMIT, EventProgram, Identity

PATIENCE = 60.0
CARD = "0000:02:00.0"
ENDED = Event(NOON, CARD, "“win11” has ended\x1b[31m\u202e", "note", "watch", "`vfiotop unbind`")
PLAYER = Identity(1234, 1235, (1235, 1236), "player", "/srv/player")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def event(text: str) -> Event:
    return Event(NOON, CARD, text, "note", "watch")


def run(
    script: str, *events: Event, user: Identity | None = None, words: Sequence[str] = ()
) -> list[str]:
    """Hand events over to a shell script; returns the complaints."""
    complaints: list[str] = []
    made = EventProgram(["/bin/sh", "-c", script, "sh", *words], user, "tower", complaints.append)
    for each in events:
        made.tell(each)
    made.close(PATIENCE)
    return complaints


def run_as_is(command: Sequence[str], user: Identity | None = None) -> list[str]:
    """Hand an event over twice; returns the complaints."""
    complaints: list[str] = []
    made = EventProgram(command, user, "tower", complaints.append)
    made.tell(ENDED)
    made.tell(ENDED)
    made.close(PATIENCE)
    return complaints


def test_each_event_is_one_line_of_json(tmp_path: Path) -> None:
    log = tmp_path / "a b"
    assert run('cat >>"$1"', ENDED, event("again"), words=[str(log)]) == []
    lines = log.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        as_json(ENDED, "tower"), as_json(event("again"), "tower")
    ]  # fmt: skip
    assert "".join(lines).isprintable()


def test_one_runs_at_a_time(tmp_path: Path) -> None:
    script = 'cd "$1"; mkdir busy || exit 1; cat >>log; rmdir busy'
    assert run(script, *map(event, "abcd"), words=[str(tmp_path)]) == []
    told = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line)["text"] for line in told] == [*"abcd"]


def test_the_time_limit_ends_all_that_it_has_started(tmp_path: Path) -> None:
    """A process that is left holds the FIFO open."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    complaints: list[str] = []
    script = 'exec 3>"$1"; (trap "" TERM; echo began >&3; sleep 600) & wait'
    made = EventProgram(
        ["/bin/sh", "-c", script, "sh", str(fifo)], None, "tower", complaints.append, limit_s=2.0
    )
    made.tell(ENDED)
    made.close(PATIENCE)
    assert complaints == ["on_event: /bin/sh did not end within 2 s"]
    assert os.read(reader, 100) == b"began\n"
    hung_up = select.poll()
    hung_up.register(reader, 0)
    assert hung_up.poll(PATIENCE * 1000) == [(reader, select.POLLHUP)]
    os.close(reader)


def test_one_that_falls_behind_loses_the_oldest_and_is_told_how_many(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    script = 'cd "$1"; cat >>log; [ -e go ] || read -r _ <fifo; exit 0'
    made = EventProgram(["/bin/sh", "-c", script, "sh", str(tmp_path)], None, "tower", pytest.fail)
    made.tell(event("first"))
    with (tmp_path / "fifo").open("w"):  # once the program reads from it
        for number in range(WAITING_LIMIT + 5):
            made.tell(event(str(number)))
        (tmp_path / "go").touch()
    made.close(PATIENCE)
    told = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    texts = ["first", *map(str, range(5, WAITING_LIMIT + 5))]
    assert [each["text"] for each in told] == texts
    assert [each["dropped"] for each in told] == [0, 5, *[0] * (WAITING_LIMIT - 1)]


def test_a_failing_program_is_complained_about_once_until_it_succeeds() -> None:
    events = map(event, ("bad", "bad", "good", "bad"))
    assert run("grep -q good", *events) == ["on_event: /bin/sh ended with exit status 1"] * 2


def test_what_a_failing_program_says_is_passed_on_in_one_line() -> None:
    script = "printf 'no\\033[31m route\\nto host\\n' >&2; exit 7"
    (complaint,) = run(script, ENDED)
    assert complaint == "on_event: /bin/sh ended with exit status 7: no[31m route to host"


def test_a_program_that_says_too_much_neither_hangs_nor_fills_the_memory() -> None:
    (complaint,) = run("head -c 9000000 /dev/zero | tr '\\0' x >&2 2>/dev/null; exit 7", ENDED)
    assert complaint.startswith("on_event: /bin/sh ended with exit status 7: xxx")
    assert len(complaint) < 2 * SAID_LIMIT


def test_what_a_program_leaves_running_holds_up_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    writer = os.open(tmp_path / "fifo", os.O_RDWR)
    script = 'exec 3<"$1"/fifo; (read -r _ <&3) & exit 0'
    assert run(script, ENDED, words=[str(tmp_path)]) == []
    os.close(writer)  # it ends now


@pytest.mark.parametrize("user", [None, pytest.param(PLAYER, marks=as_root)])
def test_it_gets_no_terminal(user: Identity | None) -> None:
    """A process of another session could read from root's terminal what root types."""
    terminal, ours = os.openpty()
    kept = os.dup(2)
    os.dup2(ours, 2)
    try:
        complaints = run("for each in 0 1 2; do [ ! -t $each ] || exit 7; done", ENDED, user=user)
    finally:
        os.dup2(kept, 2)
        for each in (terminal, ours, kept):
            os.close(each)
    assert complaints == []


def test_a_program_that_cannot_be_started() -> None:
    (complaint,) = run_as_is(["/nowhere/tell-me"])
    assert complaint.startswith("on_event: /nowhere/tell-me could not be started (")


def test_a_program_need_not_read_its_input() -> None:
    assert run("exec <&-", *[ENDED] * 3) == []


def test_the_end_leaves_no_program_behind_and_begins_no_other(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    script = 'cd "$1"; read -r _ <fifo; cat >>log; sleep 0.2; echo ended >>log'
    made = EventProgram(["/bin/sh", "-c", script, "sh", str(tmp_path)], None, "tower", pytest.fail)
    for text in ("first", "second"):
        made.tell(event(text))
    with (tmp_path / "fifo").open("w"):
        pass  # the first one runs now
    made.close(0.0)
    first, ended = (tmp_path / "log").read_text().splitlines()
    assert (json.loads(first)["text"], ended) == ("first", "ended")


def test_nothing_to_tell_ends_at_once() -> None:
    assert run("exit 1") == []


@pytest.fixture
def log() -> Iterator[Path]:
    """A file that every user can reach and write to."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "log")
        made.touch()
        made.chmod(0o666)
        made.parent.chmod(0o755)
        yield made


@as_root
def test_it_runs_as_the_user_with_nothing_of_root(
    monkeypatch: pytest.MonkeyPatch, log: Path
) -> None:
    monkeypatch.setenv("SECRET", "Gurkensalat")
    before = os.umask(0o022)
    held = os.open("/", os.O_RDONLY)
    os.set_inheritable(held, True)
    script = (
        'exec >"$1"; id -u; id -g; id -G; pwd; umask; ls /proc/self/fd | tr "\\n" " "; echo; env'
    )
    assert run(script, ENDED, user=PLAYER, words=[str(log)]) == []
    os.close(held)
    os.umask(before)
    who, group, groups, folder, umask, files, *variables = log.read_text().splitlines()
    assert (who, group, groups) == ("1234", "1235", "1235 1236")
    assert (folder, umask) == ("/", "0077")
    assert files.split() == ["0", "1", "2", "3"]  # the last one is the folder that ls reads
    found = dict(line.split("=", 1) for line in variables)
    found = {name: value for name, value in found.items() if name not in ("PWD", "_", "OLDPWD")}
    assert found.pop("PATH").startswith("/usr/")
    assert found == {
        "HOME": "/srv/player", "USER": "player", "LOGNAME": "player", "LC_ALL": "C.UTF-8"
    }  # fmt: skip


@as_root
def test_it_cannot_become_root_again(log: Path) -> None:
    script = "grep -E '^(Uid|Gid|Cap(Prm|Eff|Amb)):' /proc/self/status >\"$1\""
    assert run(script, ENDED, user=PLAYER, words=[str(log)]) == []
    found = dict(line.split(":", 1) for line in log.read_text().splitlines())
    assert found["Uid"].split() == ["1234"] * 4
    assert found["Gid"].split() == ["1235"] * 4
    for which in ("CapPrm", "CapEff", "CapAmb"):
        assert int(found[which], 16) == 0


@as_root
def test_no_code_of_the_users_runs_before_it_is_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Python outside of a virtual environment runs code from the home in $HOME when it starts."""
    python = getattr(sys, "_base_executable", sys.executable)
    own = tmp_path / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    own.mkdir(parents=True)
    (own / "usercustomize.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (tmp_path / ".local").symlink_to(tmp_path)
    monkeypatch.setattr(sys, "executable", python)
    assert run("exit 0", ENDED, user=replace(PLAYER, home=str(tmp_path))) == []
    assert not (tmp_path / "ran").exists()
    subprocess.run([python, "-c", ""], env={"HOME": str(tmp_path)}, check=True)
    assert (tmp_path / "ran").exists(), "it does run where nothing keeps it out"


HUNTED = Identity(1264, 1264, (1264,), "hunted", "/srv/hunted")

HUNTER = f"""
import os, signal
os.setuid({HUNTED.uid})
print(flush=True)
while True:
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                os.kill(int(name), signal.SIGSTOP)
            except OSError:
                pass
"""
"""Stops every process of its user as soon as the process exists."""


@as_root
def test_a_user_who_stops_the_program_stops_nothing_else() -> None:
    """The user may signal the process before it runs the program, from setuid(2) on."""
    complaints: list[str] = []
    with subprocess.Popen([sys.executable, "-I", "-c", HUNTER], stdout=subprocess.PIPE) as hunter:
        try:
            assert hunter.stdout is not None
            hunter.stdout.readline()
            made = EventProgram(
                ["/bin/sleep", "600"], HUNTED, "tower", complaints.append, limit_s=0.2
            )
            for _ in range(3):
                made.tell(ENDED)
            made.close(PATIENCE)
        finally:
            hunter.kill()
    assert not made._thread.is_alive()
    assert complaints == ["on_event: /bin/sleep did not end within 0 s"]


TRACER = f"""
import ctypes, os, sys
ptrace = ctypes.CDLL(None).ptrace
print(flush=True)
seized = False
while not seized:
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat("/proc/" + name).st_uid == {HUNTED.uid}:
                seized = ptrace(0x4206, int(name), None, None) == 0  # PTRACE_SEIZE
        except OSError:
            pass
print(flush=True)
sys.stdin.read()
"""
"""Traces a process of that user and does not wait for it. Until it does, the parent cannot wait for
it either."""


@as_root
def test_a_killed_program_that_is_traced_holds_up_nothing_and_gets_no_company(log: Path) -> None:
    """Each further one would leave a process behind, until the watch could start none."""
    complaints: list[str] = []
    command = [sys.executable, "-I", "-c", TRACER]
    script = 'echo began >>"$1"; exec sleep 600'
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tracer:
        try:
            assert tracer.stdout is not None
            tracer.stdout.readline()
            made = EventProgram(
                ["/bin/sh", "-c", script, "sh", str(log)], HUNTED, "tower", complaints.append,
                limit_s=2.0,
            )  # fmt: skip
            for _ in range(3):
                made.tell(ENDED)
            tracer.stdout.readline()
            made.close(PATIENCE)
            assert not made._thread.is_alive()
        finally:
            tracer.kill()
    assert made._killed is not None
    made._killed.wait(PATIENCE)
    assert complaints == ["on_event: /bin/sh did not end within 2 s"]
    assert log.read_text() == "began\n"


STOPPED = """
import os, signal, sys
os.setuid(int(sys.argv[2]))
os.kill(os.getpid(), signal.SIGSTOP)
"""


@as_root
def test_one_that_is_stopped_before_it_runs_is_killed_after_the_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, log: Path
) -> None:
    stopped, become = tmp_path / "stopped.py", program._AS_USER
    stopped.write_text(STOPPED)
    complaints: list[str] = []

    def complain(text: str) -> None:
        monkeypatch.setattr(program, "_AS_USER", become)
        complaints.append(text)

    monkeypatch.setattr(program, "_AS_USER", stopped)
    made = EventProgram(
        ["/bin/sh", "-c", 'cat >>"$1"', "sh", str(log)], PLAYER, "tower", complain, limit_s=0.5
    )
    made.tell(event("first"))
    made.tell(event("second"))
    made.close(PATIENCE)
    assert complaints == ["on_event: /bin/sh did not end within 0 s"]
    assert [json.loads(line)["text"] for line in log.read_text().splitlines()] == ["second"]


@as_root
def test_a_program_that_the_user_cannot_run() -> None:
    (complaint,) = run_as_is(["/nowhere/tell-me"], PLAYER)
    assert complaint == (
        "on_event: /nowhere/tell-me ended with exit status 127: it cannot be run: "
        "No such file or directory"
    )


def in_scope(monkeypatch: pytest.MonkeyPatch, *words: str) -> list[dict[str, str]]:
    """Put these words in the place of systemd-run; returns the properties that were asked for."""
    asked: list[dict[str, str]] = []

    def own_scope(slice: str, **properties: str) -> tuple[str, ...]:
        asked.append({"slice": slice, **properties})
        return words

    monkeypatch.setattr(program, "own_scope", own_scope)
    return asked


@as_root
def test_it_runs_in_a_scope_with_limits(monkeypatch: pytest.MonkeyPatch, log: Path) -> None:
    asked = in_scope(monkeypatch, "/usr/bin/env", "IN=scope")
    assert run('echo "$IN" >"$1"', ENDED, user=PLAYER, words=[str(log)]) == []
    assert log.read_text() == "scope\n"
    assert asked == [
        {"slice": f"user-{PLAYER.uid}.slice", "TasksMax": "256", "RuntimeMaxSec": "12"}
    ]


@as_root
@pytest.mark.parametrize("end", ["exit 1", "kill -TERM $$"])
def test_systemd_is_asked_again_for_a_scope(
    end: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, log: Path
) -> None:
    """A stop of the service, for one, may end systemd-run."""
    asked = tmp_path / "asked"
    refuses = f'echo >>{asked}; [ $(wc -l <{asked}) = 3 ] || {end}; IN=scope exec "$@"'
    in_scope(monkeypatch, "/bin/sh", "-c", refuses, "sh")
    monkeypatch.setattr(program, "shutting_down", lambda: False)
    assert run('echo "$IN" >>"$1"', ENDED, user=PLAYER, words=[str(log)]) == []
    assert log.read_text() == "scope\n"


NO_SCOPE = "echo there is none >&2; exit 1"


@as_root
def test_without_a_scope_it_does_not_run(monkeypatch: pytest.MonkeyPatch, log: Path) -> None:
    """It would run without limits, as part of the service."""
    monkeypatch.setattr(program, "SCOPE_S", 0.5)
    monkeypatch.setattr(program, "shutting_down", lambda: False)
    in_scope(monkeypatch, "/bin/sh", "-c", NO_SCOPE, "sh")
    (complaint,) = run('cat >>"$1"', ENDED, user=PLAYER, words=[str(log)])
    assert complaint == (
        "on_event: /bin/sh was not started: systemd made no scope for it: there is none"
    )
    assert log.read_text() == ""


@as_root
def test_without_a_scope_it_runs_while_the_host_shuts_down(
    monkeypatch: pytest.MonkeyPatch, log: Path
) -> None:
    """systemd makes no scope then, and ends all services soon."""
    monkeypatch.setattr(program, "shutting_down", lambda: True)
    in_scope(monkeypatch, "/bin/sh", "-c", NO_SCOPE, "sh")
    assert run('cat >>"$1"', ENDED, user=PLAYER, words=[str(log)]) == []
    assert len(log.read_text().splitlines()) == 1


@as_root
def test_the_time_for_its_scope_is_not_its_own(monkeypatch: pytest.MonkeyPatch, log: Path) -> None:
    """A busy systemd must not use up the program's time, nor take its scope away from it."""
    in_scope(monkeypatch, "/bin/sh", "-c", 'sleep 1; IN=scope; export IN; exec "$@"', "sh")
    complaints: list[str] = []
    made = EventProgram(
        ["/bin/sh", "-c", 'echo "$IN" >>"$1"', "sh", str(log)], PLAYER, "tower",
        complaints.append, limit_s=0.9,
    )  # fmt: skip
    made.tell(ENDED)
    made.close(PATIENCE)
    assert (complaints, log.read_text()) == ([], "scope\n")


@as_root
def test_it_does_not_run_outside_a_scope_that_comes_too_late(
    monkeypatch: pytest.MonkeyPatch, log: Path
) -> None:
    """Its own load may be what keeps systemd busy."""
    monkeypatch.setattr(program, "SCOPE_S", 0.3)
    in_scope(monkeypatch, "/bin/sh", "-c", "exec sleep 600", "sh")
    (complaint,) = run('cat >>"$1"', ENDED, user=PLAYER, words=[str(log)])
    assert complaint == "on_event: /bin/sh was not started: systemd made no scope for it"
    assert log.read_text() == ""


@as_root
def test_one_that_fails_in_its_scope_is_not_run_again(
    monkeypatch: pytest.MonkeyPatch, log: Path
) -> None:
    in_scope(monkeypatch, "/usr/bin/env")
    (complaint,) = run('cat >>"$1"; exit 1', ENDED, user=PLAYER, words=[str(log)])
    assert complaint == "on_event: /bin/sh ended with exit status 1"
    assert len(log.read_text().splitlines()) == 1


@as_root
def test_no_signal_is_ignored(log: Path) -> None:
    """Python ignores SIGPIPE; a program that inherits that may write for ever."""
    script = 'grep ^SigIgn: /proc/self/status >"$1"'
    assert run(script, ENDED, user=PLAYER, words=[str(log)]) == []
    ignored = int(log.read_text().split()[1], 16)
    # glibc's own ones, which nobody may change, are ignored in what posix_spawn(3) has started.
    assert [number for number in signal.valid_signals() if ignored >> (number - 1) & 1] == []


# --- who it runs as -------------------------------------------------------------------


def test_a_user_is_looked_up_with_all_groups() -> None:
    found = program.identity("nobody")
    entry = pwd.getpwnam("nobody")
    assert (found.uid, found.gid, found.home) == (entry.pw_uid, entry.pw_gid, entry.pw_dir)
    assert found.groups == tuple(os.getgrouplist("nobody", entry.pw_gid))


def test_never_as_root() -> None:
    with pytest.raises(VfiotopError, match="does not run as root"):
        program.identity("root")


def test_never_as_root_by_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    toor = pwd.struct_passwd(("toor", "x", 0, 1000, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: toor)
    with pytest.raises(VfiotopError, match="does not run as root"):
        program.identity("toor")


def test_a_user_that_does_not_exist() -> None:
    with pytest.raises(VfiotopError, match="no user “nobody-at-all”"):
        program.identity("nobody-at-all")
