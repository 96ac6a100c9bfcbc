"""An ordinary user who may move cards through sudo or doas, and tries to do more."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from shutil import ignore_patterns

import pytest
from msgspec.structs import replace

from tests.attack.sandbox import HOME, ROOT, ROOTS_HOME, Sandbox, files_below, sandbox
from tests.thorough import every_third
from tests.unit.host.journal.test_file import ENTRY
from tui.host.journal.entry import Origin
from tui.host.journal.format import dump
from tui.host.proc.process import Process
from tui.model.requests import SwapRequest
from tui.swap.request import words as request_words

__all__ = ["sandbox"]

ABSENT = "0000:fe:1f.7"
"""A function that no machine of the tests has."""

REQUEST = request_words(SwapRequest("bind", ABSENT))
PRIVILEGED = [sys.executable, "-I", "-B", "-m", "tui.swap"]

MARK = HOME / "ran-as-root"
EVIL = f"#!/bin/sh\nid -u >{MARK}\n"

TOOLS = pytest.mark.parametrize("tool", [["sudo", "-n"], ["doas", "-n"]], ids=["sudo", "doas"])


def seen(sandbox: Sandbox) -> str:
    """Who ran the evil program, if anybody did."""
    mark = sandbox.home / MARK.name
    found = mark.read_text() if mark.exists() else ""
    mark.unlink(missing_ok=True)
    return found.strip()


def plant(sandbox: Sandbox) -> dict[str, str]:
    """What a user can leave where a careless program looks, and the environment for it."""
    home = sandbox.home
    evil = home / "evil.sh"
    evil.write_text(EVIL)
    evil.chmod(0o755)
    python = f"import os\nopen({str(MARK)!r}, 'w').write(str(os.geteuid()))\n"
    for folder in (home / "python", home / "python" / "tui", home / "lib"):
        folder.mkdir(exist_ok=True)
    for module in ("sitecustomize", "usercustomize", "json", "pwd", "libvirt", "resource"):
        (home / "python" / f"{module}.py").write_text(python)
        (home / f"{module}.py").write_text(python)  # the current folder
    (home / "python" / "tui" / "__init__.py").write_text(python)
    (home / "startup.py").write_text(python)
    for name in ("modprobe", "systemd-run", "libvirtd", "virtqemud", "ssh", "cat", "python3"):
        (home / "lib" / name).write_text(EVIL)
        (home / "lib" / name).chmod(0o755)
    settings = home / ".config" / "vfiotop"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "config.toml").write_text(
        f'connect = "qemu+ext:///system?command={HOME}/evil.sh"\n'
    )
    return {
        "PYTHONPATH": f"{HOME}/python", "PYTHONSTARTUP": f"{HOME}/startup.py",
        "PYTHONUSERBASE": str(HOME), "PYTHONINSPECT": "1", "PYTHONBREAKPOINT": "sitecustomize.x",
        "XDG_CONFIG_HOME": f"{HOME}/.config", "XDG_STATE_HOME": f"{HOME}/.state",
        "XDG_RUNTIME_DIR": str(HOME), "HOME": str(HOME), "PATH": f"{HOME}/lib:/usr/bin:/bin",
        "LIBVIRTD_PATH": f"{HOME}/lib/libvirtd", "VIRTQEMUD_PATH": f"{HOME}/lib/virtqemud",
        "LIBVIRT_DEFAULT_URI": f"qemu+ext:///system?command={HOME}/evil.sh",
        "LIBVIRT_AUTH_FILE": f"{HOME}/auth", "MODPROBE_OPTIONS": f"-C {HOME}/modprobe.d",
        "TEXTUAL_DRIVER": "sitecustomize:x", "LC_ALL": "../../srv/locale", "TZ": f":{HOME}/zone",
        "LANGUAGE": "/srv", "TMPDIR": str(HOME), "BASH_ENV": f"{HOME}/evil.sh",
        "ENV": f"{HOME}/evil.sh",
    }  # fmt: skip


def parsed(output: str) -> dict[str, str]:
    answer = json.loads(output)
    assert isinstance(answer, dict)
    return answer


@TOOLS
def test_nothing_of_the_user_runs_as_root(sandbox: Sandbox, tool: list[str]) -> None:
    """The whole way: environment, working folder, configuration and PATH are the user's."""
    env = plant(sandbox)
    done = sandbox.run(*tool, "--", *PRIVILEGED, "launch", *REQUEST, env=env)
    assert seen(sandbox) == ""
    # It came as far as the machine's own devices, and so past everything that was planted.
    assert ABSENT in parsed(done.stdout)["error"] or "GPU" in parsed(done.stdout)["error"], done


@TOOLS
def test_the_same_attack_works_on_a_program_that_takes_it_all(
    sandbox: Sandbox, tool: list[str]
) -> None:
    """The sandbox is as careless as it says: otherwise the test above would prove nothing."""
    env = plant(sandbox)
    sandbox.run(*tool, "--", sys.executable, "-c", "pass", env=env)
    assert seen(sandbox) == "0"


@TOOLS
def test_the_command_itself_runs_none_of_it_either(sandbox: Sandbox, tool: list[str]) -> None:
    """The launcher that make setup writes: the whole program as root, with everything of the
    user's."""
    launcher = ROOT / ".venv" / "bin" / "vfiotop"
    before = files_below(sandbox.home)
    env = plant(sandbox)
    planted = files_below(sandbox.home)
    for words in (["status", "--json"], ["bind", ABSENT, "--yes"], ["doctor"], ["recover"]):
        done = sandbox.run(*tool, "--", str(launcher), *words, env=env)
        assert seen(sandbox) == "", words
        assert "Traceback" not in done.stderr, done
    assert files_below(sandbox.home) == planted
    assert before <= planted


OPTIONS = [
    ["--config", f"{HOME}/.config/vfiotop/config.toml"],
    ["--connect", f"qemu+ext:///system?command={HOME}/evil.sh"],
    [f"connect=qemu+ext:///system?command={HOME}/evil.sh"],
    ["--root", str(HOME)], ["-c", "import sitecustomize"], ["address=../../.."],
]  # fmt: skip


@pytest.mark.parametrize("more", every_third((each,) for each in OPTIONS))
@pytest.mark.parametrize("way", ["launch", "run"])
def test_a_request_is_all_that_it_takes(sandbox: Sandbox, way: str, more: list[str]) -> None:
    plant(sandbox)
    done = sandbox.run("sudo", "-n", "--", *PRIVILEGED, way, *REQUEST, *more)
    assert "not a request" in parsed(done.stdout)["error"]
    assert (done.returncode, seen(sandbox)) == (1, "")


def test_the_whole_program_takes_no_such_libvirt_as_root(sandbox: Sandbox) -> None:
    plant(sandbox)
    launcher = str(ROOT / ".venv" / "bin" / "vfiotop")
    for option in OPTIONS[:2]:
        done = sandbox.run("sudo", "-n", "--", launcher, "status", *option)
        assert (done.returncode, done.stdout, seen(sandbox)) == (2, "", ""), done
        assert "root" in done.stderr
        assert done.stderr.count("\n") == 1


def test_it_does_not_start_where_others_had_their_turn(sandbox: Sandbox) -> None:
    done = sandbox.run("sudo", "-n", "--", sys.executable, "-m", "tui.swap", "launch", *REQUEST)
    assert done.returncode != 0
    assert done.stdout == ""


def test_an_ordinary_user_gets_nothing_of_it(sandbox: Sandbox) -> None:
    done = sandbox.run(*PRIVILEGED, "launch", *REQUEST)
    assert parsed(done.stdout)["error"] == "only root may move a card"
    done = sandbox.run(*PRIVILEGED, "run", *REQUEST)
    assert "only root may move a card" in parsed(done.stdout)["error"]


STARTS = {
    "no room for files": "ulimit -f 0",
    "few descriptors": "ulimit -n 16",
    "no time": "ulimit -t 1",
    "ended children are not told of": "trap '' CHLD",
    "ends are ignored": "trap '' TERM INT HUP ALRM",
    "no input": "exec <&-",
    "every file for everybody": "umask 000",
    "none for anybody": "umask 777",
    "a folder that is gone": "mkdir gone; cd gone; rmdir ../gone",
}


@pytest.mark.parametrize("how", every_third(STARTS))
def test_how_it_is_started_changes_nothing(sandbox: Sandbox, how: str) -> None:
    done = sandbox.run("sudo", "-n", "--", *PRIVILEGED, "launch", *REQUEST, shell=STARTS[how])
    answer = parsed(done.stdout)["error"]
    # Sources are read at the same time, and may need all of few descriptors.
    few = ("Too many open files",) if how == "few descriptors" else ()
    assert any(words in answer for words in (ABSENT, "GPU", *few)), done
    lock = sandbox.run_folder / "vfiotop"
    assert lock.stat().st_mode & 0o777 == 0o755
    assert (lock / "lock").stat().st_mode & 0o777 == 0o600


@TOOLS
def test_it_is_not_the_first_to_be_killed_when_memory_ends(
    sandbox: Sandbox, tool: list[str]
) -> None:
    worst = "echo 1000 >/proc/self/oom_score_adj"
    code = (
        "from tui.process import privileges; privileges.reset_process()\n"
        "print(open('/proc/self/oom_score_adj').read())"
    )
    done = sandbox.run(*tool, "--", sys.executable, "-I", "-c", code, shell=worst)
    assert int(done.stdout) <= 0, done


def test_root_leaves_no_compiled_files_in_a_users_checkout(sandbox: Sandbox) -> None:
    """Except for the two that are loaded before it is known who runs them."""
    copy = sandbox.home / "checkout"
    for package in ("tui", "widgets"):
        shutil.copytree(ROOT / package, copy / package, ignore=ignore_patterns("__pycache__"))
    code = (
        f"import sys; sys.path.insert(0, '{HOME}/checkout'); sys.argv = ['vfiotop', 'doctor']\n"
        "from tui.__main__ import run; run()\n"
        "from tui.host.proc import holders; from tui.host.nvml import probe\n"
        f"assert '{HOME}' in holders.__file__\n"
        "print(holders.holders(['0000:00:00.0'])); probe.unseen('0000:00:00.0', 5)"
    )
    done = sandbox.run("sudo", "-n", "--", sys.executable, "-I", "-c", code)
    assert "Holders(" in done.stdout, done
    assert {file.stem.partition(".")[0] for file in copy.rglob("*.pyc")} <= {"__init__", "__main__"}
    assert not [*(copy / "tui" / "host").rglob("*.pyc")]
    shutil.rmtree(copy)


def test_roots_own_configuration_is_used(sandbox: Sandbox) -> None:
    folder = sandbox.roots_home / ".config" / "vfiotop"
    folder.mkdir(parents=True)
    config = folder / "config.toml"
    config.write_text('connect = "qemu+ssh://host/system"\n')
    done = sandbox.run("sudo", "-n", "--", *PRIVILEGED, "run", *REQUEST, env={"HOME": str(HOME)})
    assert (
        f"{ROOTS_HOME}/.config/vfiotop/config.toml: qemu+ssh://host/system is libvirt on"
        in (parsed(done.stdout)["error"])
    )
    config.chmod(0o666)
    done = sandbox.run("sudo", "-n", "--", *PRIVILEGED, "run", *REQUEST)
    assert "users other than root can change it" in parsed(done.stdout)["error"]
    config.unlink()


def test_links_in_a_users_folders_lead_root_nowhere(sandbox: Sandbox) -> None:
    """HOME is kept, and the state folder in it leads where root keeps things."""
    state = sandbox.home / ".local" / "state"
    state.mkdir(parents=True)
    (state / "vfiotop").symlink_to("/etc")
    before = files_below(sandbox.folder / "etc")
    code = "from tui import state; state.save(theme='x'); print(state.folder())"
    for env in ({}, {"XDG_STATE_HOME": f"{HOME}/.local/state"}):
        done = sandbox.run("sudo", "-n", "--", sys.executable, "-I", "-c", code, env=env)
        assert done.stdout.strip() == f"{ROOTS_HOME}/.local/state/vfiotop", done
    assert files_below(sandbox.folder / "etc") == before


# --- the journal ------------------------------------------------------------------


INTERRUPTED = replace(
    ENTRY, address=ABSENT, runner=Process(1, 2), origins=(Origin(ABSENT, "nvidia", None),)
)
"""A swap of a card that has since left the bus."""


def journal(sandbox: Sandbox, text: str) -> Path:
    folder = sandbox.run_folder / "vfiotop"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    file = folder / "swap.json"
    file.write_text(text)
    file.chmod(0o644)
    return file


def vfiotop(sandbox: Sandbox, *words: str, before: str = "") -> tuple[int, str]:
    done = sandbox.run(str(ROOT / ".venv" / "bin" / "vfiotop"), *words, user="root", before=before)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_a_journal_cannot_lead_a_recovery_to_other_files(sandbox: Sandbox) -> None:
    """An address of ../../.. has a driver_override that root would write to."""
    target = sandbox.home / "driver_override"
    target.write_text("mine")
    foreign = json.loads(dump(INTERRUPTED))
    foreign["origins"][0]["address"] = f"../../../..{HOME}"
    file = journal(sandbox, json.dumps(foreign))
    code, said = vfiotop(sandbox, "recover", "--undo", "--yes")
    assert code == 3
    assert "is damaged" in said
    assert target.read_text() == "mine"
    file.unlink()


def test_an_undo_needs_no_room_for_its_journal(sandbox: Sandbox) -> None:
    file = journal(sandbox, dump(INTERRUPTED))
    full = f"""
        mount -t tmpfs -o size=64k,mode=755 tmpfs /run
        cp -a {sandbox.run_folder}/vfiotop /run/
        : >/run/vfiotop/lock; chmod 600 /run/vfiotop/lock
        cat /dev/zero >/run/full 2>/dev/null || true
    """
    assert vfiotop(sandbox, "recover", "--undo", "--yes", before=full) == (0, "")
    code, said = vfiotop(sandbox, "recover", "--finish", "--yes", before=full)
    assert code == 3, said
    file.unlink()
