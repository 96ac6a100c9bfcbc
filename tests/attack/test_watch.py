"""What an ordinary user may plant for the watch, and what somebody may plant in its record for the
screens of all users."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import msgspec
import pytest

from tests.attack.sandbox import HOME, ROOT, UID, Sandbox, sandbox
from tests.attack.test_privilege import plant, seen
from tests.thorough import thorough
from tests.unit.host.watch.test_record import RECORD
from tui.host.watch.record import KEEP, NAME, RecordFile

__all__ = ["sandbox"]

VFIOTOP = str(ROOT / ".venv" / "bin" / "vfiotop")
EVIL = "a\x1b]0;x\x07\u202e\n"


@pytest.fixture
def record(sandbox: Sandbox) -> Path:
    """The place of the record, in a folder of root's without one."""
    folder = sandbox.run_folder / "vfiotop"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    for each in folder.iterdir():
        each.unlink() if not each.is_dir() else each.rmdir()
    return folder / NAME


def hostile(place: Path, kind: str, secret: Path) -> None:
    if kind == "a FIFO":
        os.mkfifo(place)
    elif kind == "a link":
        place.symlink_to(secret)
    elif kind == "a folder":
        place.mkdir()
    elif kind == "of another user":
        RecordFile(place.parent, os.geteuid()).write(RECORD)
        os.chown(place, UID, UID)
    elif kind == "control characters":
        value = json.loads(msgspec.json.encode(RECORD))
        value["events"] = [{"at_s": 1.0, "subject": EVIL, "text": EVIL, "fix": EVIL}]
        value["file"] = EVIL
        place.write_text(json.dumps(value))
    else:
        place.write_bytes(os.urandom(1 << 20) if kind == "noise" else b"[" * (1 << 18))


@pytest.mark.parametrize(
    "kind",
    [
        "control characters",
        "a FIFO",
        *thorough("a link", "a folder", "of another user", "noise", "nesting"),
    ],
)
def test_no_record_harms_who_reads_it(sandbox: Sandbox, record: Path, kind: str) -> None:
    secret = sandbox.roots_home / "secret"
    secret.write_text("Gurkensalat")
    hostile(record, kind, secret)
    done = sandbox.run(VFIOTOP, "status")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.replace("\n", "").isprintable()
    assert "Gurkensalat" not in done.stdout


def test_an_ordinary_user_cancels_no_return(sandbox: Sandbox, record: Path) -> None:
    RecordFile(record.parent, os.geteuid()).write(RECORD)
    done = sandbox.run(VFIOTOP, "watch", "--keep")
    assert (done.returncode, done.stdout) == (1, "")
    done = sandbox.run("sh", "-c", f"echo {'0' * 32} >/run/vfiotop/{KEEP}")
    assert done.returncode != 0
    assert not (record.parent / KEEP).exists()


def configure(sandbox: Sandbox, *on_event: str) -> None:
    folder = sandbox.roots_home / ".config" / "vfiotop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(f"[watch]\non_event = {json.dumps(on_event)}\n")


@pytest.mark.parametrize("words", [[], ["--event-user", "root"]])
def test_on_event_never_runs_as_root(sandbox: Sandbox, record: Path, words: list[str]) -> None:
    configure(sandbox, "/bin/sh", "-c", f"id -u >{HOME}/ran")
    done = sandbox.run(VFIOTOP, "watch", *words, user="root")
    assert (done.returncode, done.stdout) == (1, "")
    assert "on_event does not run as root" in done.stderr
    assert not (sandbox.home / "ran").exists()


WATCH = f"""
mkfifo {HOME}/told; chown {UID} {HOME}/told
env "$@" {VFIOTOP} watch --event-user player >/dev/null & watch=$!
cat {HOME}/told
kill $watch; wait $watch; echo ended $?
"""


def test_on_event_gets_an_event_and_nothing_of_root(sandbox: Sandbox, record: Path) -> None:
    """A folder in the place of the record: the watch cannot write it, which is an event."""
    record.mkdir()
    (record / "kept").touch()
    script = (
        f"exec >{HOME}/told; id -u; id -Gn; pwd; ls /proc/self/fd | tr '\\n' ' '; echo;"
        "kill -TERM $PPID 2>/dev/null || echo no signal;"
        f"cat {sandbox.roots_home}/.config/vfiotop/config.toml 2>/dev/null || echo no secret; cat"
    )
    configure(sandbox, "/bin/sh", "-c", script)
    env = plant(sandbox) | {"SECRET": "Gurkensalat", "NOTIFY_SOCKET": f"{HOME}/notify"}
    told = [f"{name}={value}" for name, value in env.items()]
    done = sandbox.run("sh", "-c", WATCH, "sh", *told, user="root")
    (record / "kept").unlink()
    (sandbox.home / "told").unlink()
    assert (seen(sandbox), done.stderr) == ("", ""), done
    who, groups, folder, files, signalled, secret, line, ended = done.stdout.splitlines()
    assert (who, groups, folder, files.split()) == (str(UID), "player", "/", ["0", "1", "2", "3"])
    assert (signalled, secret, ended) == ("no signal", "no secret", "ended 0")
    event = json.loads(line)
    assert (event["subject"], event["by"]) == ("watch", "watch")
    assert "screens cannot show the watch" in event["text"]


def test_nobody_but_systemd_is_told(sandbox: Sandbox) -> None:
    """sudo may keep the environment of a user who listens on a socket of their own."""
    code = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r});"
        "from tui.process import privileges; privileges.clean_environment();"
        "print(sorted(set(os.environ) & {'NOTIFY_SOCKET', 'WATCHDOG_PID', 'JOURNAL_STREAM'}))"
    )
    for place, kept in (("/run/systemd/notify", "['NOTIFY_SOCKET']"), (f"{HOME}/s", "[]"),
                        ("@evil", "[]"), ("/run/systemd/notify/../../../srv/s", "[]")):  # fmt: skip
        env = {"NOTIFY_SOCKET": place, "WATCHDOG_PID": "1\n2", "JOURNAL_STREAM": "8:x"}
        done = sandbox.run("sudo", "-n", "--", sys.executable, "-I", "-c", code, env=env)
        assert done.stdout.strip() == kept, done
