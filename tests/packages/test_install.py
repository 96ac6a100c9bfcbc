"""`make install` for real, and an ordinary user who tries what is installed."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.sandbox import ROOT, USER, Sandbox, sandbox
from tests.attack.test_privilege import ABSENT, MARK, OPTIONS, REQUEST, parsed, plant, seen

__all__ = ["sandbox"]

PREFIX = Path("/opt")
PROGRAM, SWAP = str(PREFIX / "bin" / "vfiotop"), str(PREFIX / "lib" / "vfiotop" / "swap")
PYTHON = str(PREFIX / "lib" / "vfiotop" / "bin" / "python")

INSTALL_S = 900


def make(target: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", target, f"PREFIX={PREFIX}", f"DESTDIR={folder}"],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=INSTALL_S, check=False,
    )  # fmt: skip


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below, with its inode and the time of its last change."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[str(path.relative_to(folder))] = (status.st_ino, status.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("installed")
    done = make("install", folder)
    assert done.returncode == 0, done
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def opened(installed: Path) -> str:
    """A script that mounts the installation in the sandbox, below its prefix."""
    return f"mount --bind {installed}{PREFIX} {PREFIX}"


def test_only_root_can_write_it_and_everybody_can_read_it(installed: Path) -> None:
    paths = [installed / "opt", *(installed / "opt").rglob("*")]
    assert len(paths) > 1000
    for path in paths:
        status = path.lstat()
        assert status.st_uid == os.geteuid(), path
        if not stat.S_ISLNK(status.st_mode):
            assert not status.st_mode & 0o7022, path
            assert status.st_mode & 0o444 == 0o444, path
            assert status.st_mode & 0o111 == 0o111 or not path.is_dir(), path


def test_it_is_compiled_and_holds_what_it_needs_alone(installed: Path) -> None:
    (packages,) = (installed / "opt/lib/vfiotop/lib").glob("python3.*/site-packages")
    for source in (packages / "tui").rglob("*.py"):
        assert [*(source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc")], source
    present = {path.name for path in packages.iterdir()}
    assert {"tui", "widgets", "textual"} <= present
    assert not present & {"pip", "setuptools", "pytest", "tests", "build"}
    assert {path.name for path in (installed / "opt/lib/vfiotop/bin").iterdir()} == {
        "python", "python3", packages.parent.name
    }  # fmt: skip
    text = b"".join(p.read_bytes() for p in (installed / "opt").rglob("*") if p.is_file())
    assert str(installed).encode() not in text
    assert str(ROOT).encode() not in text


def test_systemd_understands_the_unit_and_finds_the_program(
    sandbox: Sandbox, installed: Path, opened: str
) -> None:
    """Root runs it unasked, so it is in the folder whose owners were checked, not in PREFIX/bin,
    which users make their own for other programs."""
    unit = PREFIX / "lib/systemd/system/vfiotop-watch.service"
    text = (installed / str(unit)[1:]).read_text()
    assert f"\nExecStart={PREFIX}/lib/vfiotop/vfiotop watch " in text
    assert "@LIB@" not in text
    done = sandbox.run(
        "systemd-analyze", "verify", "--man=no", str(unit), user="root", before=opened
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_dashboard_and_the_alerts_are_there(installed: Path) -> None:
    shared = installed / str(PREFIX)[1:] / "share/vfiotop"
    assert {path.name for path in shared.iterdir()} == {
        "grafana-dashboard.json", "vfiotop-alerts.yml"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--version"], 0, "vfiotop 0."),
        (["status", "--demo", "gaming"], 0, "GeForce"),
        (["doctor", "--demo", "desk"], 0, "privilege"),
    ],
)
def test_everybody_can_use_it(
    sandbox: Sandbox, opened: str, words: list[str], code: int, said: str
) -> None:
    done = sandbox.run(PROGRAM, *words, before=opened)
    assert (done.returncode, done.stderr) == (code, ""), done
    assert said in done.stdout


@pytest.mark.parametrize("tool", [[], ["sudo", "-n", "--"], ["doas", "-n", "--"]])
def test_nothing_of_the_user_runs_in_it(sandbox: Sandbox, opened: str, tool: list[str]) -> None:
    env = plant(sandbox)
    evil = (sandbox.home / "python" / "usercustomize.py").read_text()
    for version in range(11, 20):
        own = sandbox.home / f"lib/python3.{version}/site-packages"
        own.mkdir(parents=True, exist_ok=True)
        (own / "usercustomize.py").write_text(evil)
    # An ordinary user's own configuration may name a libvirt that runs a program, as that user.
    status = ["status", "--json", *([] if tool else ["--demo"])]
    for words in ([PROGRAM, "--version"], [PROGRAM, *status], [SWAP, *REQUEST]):
        done = sandbox.run(*tool, *words, env=env, before=opened)
        assert seen(sandbox) == "", words
        assert "Traceback" not in done.stderr, done
    # What was planted does run where nothing keeps it out.
    sandbox.run(PYTHON, "-c", "pass", before=opened, env=env)
    assert (sandbox.home / MARK.name).exists()
    seen(sandbox)


def privilege(sandbox: Sandbox, opened: str) -> dict[str, str]:
    without_configuration = {"XDG_CONFIG_HOME": "/nonexistent"}
    done = sandbox.run(PROGRAM, "doctor", "--json", env=without_configuration, before=opened)
    (found,) = (c for c in json.loads(done.stdout)["checks"] if c["id"] == "privilege")
    assert isinstance(found, dict)
    return found


@pytest.fixture
def allowed(sandbox: Sandbox, opened: str) -> Iterator[None]:
    """sudo allows the user only the line that doctor prints."""
    found = privilege(sandbox, opened)
    assert "nobody else can change the code it runs" in found["why"]
    (line,) = re.findall(r"`([^`]* NOPASSWD[^`]*)`", found["fix"])
    assert line.startswith(f"{USER} ")
    sudoers = sandbox.folder / "etc" / "sudoers"
    careless = sudoers.read_text()
    sudoers.write_text(f"root ALL=(ALL) NOPASSWD: ALL\n{line}\n")
    yield
    sudoers.write_text(careless)


@pytest.mark.usefixtures("allowed")
def test_the_line_that_doctor_prints_allows_a_request_for_a_swap(
    sandbox: Sandbox, opened: str
) -> None:
    done = sandbox.run("sudo", "-n", "--", SWAP, *REQUEST, before=opened)
    assert ABSENT in parsed(done.stdout)["error"] or "GPU" in parsed(done.stdout)["error"], done


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "words",
    [
        ["id"], [PROGRAM, "status"], [PYTHON, "-c", "pass"],
        [PYTHON, "-I", "-B", "-m", "tui.swap", "launch", *REQUEST],
        [f"{SWAP}/../bin/python"], ["PYTHONPATH=/srv", SWAP, *REQUEST],
        ["LD_PRELOAD=/srv/evil.so", SWAP, *REQUEST],
    ],
)  # fmt: skip
def test_the_line_allows_nothing_else(sandbox: Sandbox, opened: str, words: list[str]) -> None:
    done = sandbox.run("sudo", "-n", *words, before=opened)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert "sudo: " in done.stderr


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "more", [*OPTIONS, ["-m", "site"], ["run"], ["--help"], [""], ["id=\n"], ["x" * 5000]]
)
@pytest.mark.parametrize("before", [True, False])
def test_a_request_is_all_that_it_takes(
    sandbox: Sandbox, opened: str, more: list[str], *, before: bool
) -> None:
    words = [*more, *REQUEST] if before else [*REQUEST, *more]
    done = sandbox.run("sudo", "-n", "--", SWAP, *words, before=opened)
    assert "not a request" in parsed(done.stdout)["error"]
    assert (done.returncode, done.stderr, seen(sandbox)) == (1, "", "")


def test_a_second_installation_takes_the_place_of_the_first(installed: Path) -> None:
    old = installed / "opt/lib/vfiotop/left-over"
    old.touch()
    assert make("install", installed).returncode == 0
    assert not old.exists()
    assert {path.name for path in (installed / "opt/lib").iterdir()} == {"systemd", "vfiotop"}
    assert {path.name for path in (installed / "opt/bin").iterdir()} == {"vfiotop"}


def test_an_installation_that_fails_leaves_the_one_before_whole(installed: Path) -> None:
    before = everything(installed / "opt/lib/vfiotop")
    done = make("install", installed, TMPDIR="/nowhere")
    assert done.returncode != 0
    assert everything(installed / "opt/lib/vfiotop") == before
    assert {path.name for path in (installed / "opt/lib").iterdir()} == {"systemd", "vfiotop"}


def test_a_program_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    program = tmp_path / "opt" / "bin" / "vfiotop"
    program.parent.mkdir(parents=True)
    program.write_text("mine")
    done = make("install", tmp_path)
    assert "is not of this installation" in done.stderr
    assert [*tmp_path.rglob("*")] == [tmp_path / "opt", program.parent, program]
    assert "is not installed" in make("uninstall", tmp_path).stderr


def test_nothing_is_left_of_it(tmp_path: Path, installed: Path) -> None:
    shutil.copytree(installed / "opt", tmp_path / "opt", symlinks=True)
    kept = tmp_path / "opt" / "bin" / "another"
    kept.touch()
    assert make("uninstall", tmp_path).returncode == 0
    assert [*tmp_path.rglob("*")] == [tmp_path / "opt", kept.parent, kept]
    kept.unlink()
    kept.parent.rmdir()
    shutil.copytree(installed / "opt", tmp_path / "opt", symlinks=True, dirs_exist_ok=True)
    assert make("uninstall", tmp_path).returncode == 0
    assert [*tmp_path.iterdir()] == []


def test_what_it_has_kept_goes_only_with_a_purge(tmp_path: Path) -> None:
    """The scripts need no more of an installation than its list."""
    listed = tmp_path / "opt/lib/vfiotop/installed"
    kept = [
        tmp_path / "var/lib/vfiotop/history/00000001.history",
        tmp_path / "run/vfiotop/swap.json",
    ]
    own = [tmp_path / "etc/vfiotop/config.toml", tmp_path / "var/lib/vfiotop/notes"]
    for file in (*kept, *own, listed):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    done = make("uninstall", tmp_path)
    assert done.returncode == 0, done
    assert f"stays in {kept[0].parent}" in done.stdout
    assert all(file.exists() for file in (*kept, *own))
    assert not listed.exists()
    listed.parent.mkdir(parents=True)
    listed.touch()
    assert make("uninstall", tmp_path, PURGE="1").returncode == 0
    assert not any(file.parent.exists() for file in kept)
    assert all(file.exists() for file in own)


@pytest.mark.parametrize("no", ["0", "no", ""])
def test_a_purge_that_is_not_wanted_is_none(tmp_path: Path, no: str) -> None:
    listed, kept = tmp_path / "opt/lib/vfiotop/installed", tmp_path / "run/vfiotop/swap.json"
    for file in (listed, kept):
        file.parent.mkdir(parents=True)
        file.touch()
    assert make("uninstall", tmp_path, PURGE=no).returncode == 0
    assert kept.exists()


def test_a_purge_removes_no_file_that_the_program_has_not_written(tmp_path: Path) -> None:
    """The folder of the history may be a mount."""
    listed = tmp_path / "opt/lib/vfiotop/installed"
    history = tmp_path / "var/lib/vfiotop/history"
    own = [history / "films/1.history", history / "notes"]
    kept = [history / name for name in ("00000001.history", "2.aside", ".1.history.x")]
    for file in (*own, *kept, listed):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    done = make("uninstall", tmp_path, PURGE="1")
    assert done.returncode == 0, done
    assert [file.exists() for file in (*own, *kept)] == [True] * 2 + [False] * 3
    assert f"{history} stays: it is not vfiotop's alone" in done.stdout


def test_a_purge_leaves_the_journal_of_a_swap_that_has_begun_since(tmp_path: Path) -> None:
    listed, run = tmp_path / "opt/lib/vfiotop/installed", tmp_path / "run/vfiotop"
    for file in (listed, run / "swap.json", run / "lock"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    with (run / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = make("uninstall", tmp_path, PURGE="1")
    assert (run / "swap.json").exists()
    assert (done.returncode, listed.exists()) == (0, False)
    assert f"a swap is under way: {run} stays until the next boot" in done.stdout


def test_an_unknown_argument_removes_nothing(tmp_path: Path) -> None:
    listed = tmp_path / "opt/lib/vfiotop/installed"
    listed.parent.mkdir(parents=True)
    listed.touch()
    done = subprocess.run(
        [ROOT / ".packaging" / "install", "--uninstall", "--all"], env={**os.environ,
        "PREFIX": str(PREFIX), "DESTDIR": str(tmp_path)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, listed.exists()) == (1, True)
    assert "unknown argument --all" in done.stderr


@pytest.mark.parametrize("prefix", ["relative", "/a b", "/a/../b", "/", "/a;b", "/a\nb"])
def test_a_prefix_that_no_program_could_name(prefix: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / ".packaging" / "install"], env={**os.environ, "PREFIX": prefix,
        "DESTDIR": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "PREFIX must be an absolute path" in done.stderr
