"""The Debian packages, each in a minimal system of its release: installed, used by an ordinary
user, upgraded, removed, purged."""

from __future__ import annotations

import json
import os
import platform
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.terminals import ready
from tests.bench.terminal import Terminal
from tests.packages.system import APT, ONLY_NEEDED, ROOT, USER, System, system
from tui import __version__

RELEASES = {"bookworm": "12", "trixie": "13"}

BUILD_S = 1800
LEFT_OVER = "/usr/lib/vfiotop/left-over"

HOLD = "mkdir -p /run/vfiotop; exec 9>/run/vfiotop/lock; flock 9"
"""A shell that does this holds the lock of swaps until it ends."""

COMPLETE = """
. /usr/share/bash-completion/bash_completion
if declare -F _comp_load >/dev/null; then _comp_load vfiotop; else __load_completion vfiotop; fi
complete -p vfiotop
"""


@pytest.fixture(scope="module")
def built() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a chroot")
    if platform.freedesktop_os_release()["ID"] != "debian":
        pytest.skip("the packages are built from a mirror of Debian")
    done = subprocess.run(
        ["make", "--no-print-directory", "deb"], cwd=ROOT, capture_output=True, text=True,
        timeout=BUILD_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def packages(built: None, release: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, and an earlier version that has one more file."""
    folder = tmp_path_factory.mktemp("packages")
    (package,) = (ROOT / "build").glob(f"vfiotop_*~deb{RELEASES[release]}_*.deb")
    shutil.copy(package, folder / "vfiotop.deb")
    earlier = folder / "earlier"
    subprocess.run(["dpkg-deb", "--raw-extract", package, earlier], check=True)
    control = earlier / "DEBIAN" / "control"
    lines = control.read_text().splitlines()
    lines = [f"{each}~earlier" if each.startswith("Version: ") else each for each in lines]
    control.write_text("\n".join(lines) + "\n")
    (earlier / LEFT_OVER[1:]).touch()
    subprocess.run(["dpkg-deb", "--build", earlier, folder / "earlier.deb"], check=True)
    shutil.rmtree(earlier)
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def minimal(release: str, packages: Path) -> Iterator[tuple[System, set[str]]]:
    """A system, and all its paths before anything of ours was there."""
    with system(release, packages) as made:
        yield made, made.paths()


@pytest.fixture
def installed(minimal: tuple[System, set[str]]) -> System:
    made, _ = minimal
    if made.state() != "ii":
        made.do(*APT, "install", "/srv/vfiotop.deb")
    return made


def test_the_copyright_file_names_each_package_of_the_environment() -> None:
    text = (ROOT / ".packaging" / "debian" / "copyright").read_text()
    names = (ROOT / ".packaging" / "packages").read_text().split()
    assert [n for n in names if f"Files: wheels/{n.replace('-', '_')}-*\n" not in text] == []


def test_what_runs_in_a_chroot_ends_with_it(minimal: tuple[System, set[str]]) -> None:
    made, _ = minimal
    begun = subprocess.Popen(
        made.command("sh", "-c", "echo begun; exec sleep infinity"), stdout=subprocess.PIPE
    )
    assert begun.stdout
    assert begun.stdout.readline() == b"begun\n"
    children = Path(f"/proc/{begun.pid}/task/{begun.pid}/children").read_text().split()
    handle = os.pidfd_open(int(children[0]))
    begun.kill()
    begun.wait()
    assert select.select([handle], [], [], 30)[0]
    os.close(handle)
    begun.stdout.close()


def test_it_depends_on_the_python_that_it_was_built_for(installed: System) -> None:
    depends = installed.do("dpkg-query", "-Wf", "${Depends}", "vfiotop").split(", ")
    minor = int(installed.do("python3", "-c", "import sys; print(sys.version_info[1])"))
    assert {f"python3 (>= 3.{minor})", f"python3 (<< 3.{minor + 1})"} <= set(depends)
    assert {each.split()[0] for each in depends} == {
        "python3", "libc6", "libvirt0", "libudev1", "pci.ids"
    }  # fmt: skip


def test_all_of_it_is_root_s_and_nothing_names_where_it_was_built(installed: System) -> None:
    assert installed.do("find", "/usr/lib/vfiotop", "-not", "-uid", "0") == ""
    assert installed.do("find", "/usr/lib/vfiotop", "-perm", "/022", "-not", "-type", "l") == ""
    assert installed.run("grep", "-rlE", "debian/vfiotop|/srv/|vfiotop\\.new",
                         "/usr/lib/vfiotop", "/usr/bin/vfiotop").stdout == ""  # fmt: skip


def test_a_user_can_run_it(installed: System) -> None:
    done = installed.run("vfiotop", "--version", user=USER)
    assert (done.stdout, done.stderr) == (f"vfiotop {__version__}\n", "")
    done = installed.run("vfiotop", "status", "--json", user=USER)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["schema"] == 1
    done = installed.run("vfiotop", "status", "--demo", "gaming", user=USER)
    assert "GeForce" in done.stdout


def test_only_root_can_change_what_root_would_run(installed: System) -> None:
    done = installed.run("vfiotop", "doctor", "--json", user=USER)
    (privilege,) = (c for c in json.loads(done.stdout)["checks"] if c["id"] == "privilege")
    assert "nobody else can change the code it runs" in privilege["why"]
    assert "/usr/lib/vfiotop/swap`" in privilege["fix"]


def test_the_screen_opens(installed: System) -> None:
    command = installed.command("vfiotop", "--demo", "gaming", user=USER)
    with Terminal(command, {"PATH": os.environ["PATH"]}) as terminal:
        ready(terminal)
        assert "Simulated host" in terminal.text()
        terminal.press("q")
        assert terminal.end() == 0


def test_its_manual_and_completions_are_found(installed: System) -> None:
    pages = installed.do("man", "-w", "vfiotop", "vfiotop.toml").split()
    assert [Path(page).name for page in pages] == ["vfiotop.1.gz", "vfiotop.toml.5.gz"]
    assert "GPU passthrough" in installed.do("man", "vfiotop")
    assert "vfiotop" in installed.do("bash", "-c", COMPLETE)


UNIT = "vfiotop-watch.service"


def test_the_unit_is_there_and_the_user_enables_it(installed: System, tmp_path: Path) -> None:
    (unit,) = (
        line for line in installed.do("dpkg", "-L", "vfiotop").splitlines() if line.endswith(UNIT)
    )
    assert unit in (f"/lib/systemd/system/{UNIT}", f"/usr/lib/systemd/system/{UNIT}")
    text = installed.do("cat", unit)
    assert "\nExecStart=/usr/lib/vfiotop/vfiotop watch " in text
    assert installed.run("find", "/etc/systemd", "-name", UNIT).stdout == ""
    # The system has no systemd, so this machine's looks for the program in the system's folder.
    there = text.replace("=/usr/lib/vfiotop/", f"={installed.folder}/usr/lib/vfiotop/")
    (tmp_path / UNIT).write_text(there)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / UNIT],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_root_s_use_leaves_nothing_behind(installed: System) -> None:
    installed.do("vfiotop", "status", "--demo", "gaming")
    installed.run("/usr/lib/vfiotop/swap", "bind")
    assert installed.do("dpkg", "--verify", "vfiotop") == ""
    files = set(installed.do("find", "/usr/lib/vfiotop").splitlines())
    assert files <= set(installed.do("dpkg", "-L", "vfiotop").splitlines())


def test_an_upgrade_takes_the_place_of_an_earlier_version(installed: System) -> None:
    version = installed.version()
    installed.do(*APT, "--allow-downgrades", "install", "/srv/earlier.deb")
    assert installed.version() == f"{version}~earlier"
    installed.do("test", "-e", LEFT_OVER)
    installed.do(*APT, "install", "/srv/vfiotop.deb")
    assert installed.version() == version
    assert installed.run("test", "-e", LEFT_OVER).returncode == 1
    assert installed.do("vfiotop", "--version") == f"vfiotop {__version__}\n"


@pytest.mark.parametrize("action", ["remove vfiotop", "purge vfiotop",
                                    "install --reinstall /srv/vfiotop.deb",
                                    "install --allow-downgrades /srv/earlier.deb"])  # fmt: skip
def test_nothing_changes_while_a_swap_is_under_way(installed: System, action: str) -> None:
    version = installed.version()
    done = installed.run("sh", "-c", f"{HOLD}; {' '.join(APT)} {action}")
    assert done.returncode != 0
    assert "a swap is under way" in done.stderr
    assert (installed.state(), installed.version()) == ("ii", version)
    assert installed.do("dpkg", "--verify", "vfiotop") == ""


@pytest.mark.parametrize(("hold", "left"), [("", ""), (HOLD, "lock swap.json")])
def test_the_journal_stays_until_it_is_purged_and_no_swap_needs_it(
    installed: System, hold: str, left: str
) -> None:
    apt = " ".join(APT)
    script = f"""
        mkdir /run/vfiotop; touch /run/vfiotop/lock /run/vfiotop/swap.json
        {apt} remove vfiotop >&2
        echo removed: $(ls /run/vfiotop)
        {hold}
        {apt} purge vfiotop >&2
        echo purged: $(ls /run/vfiotop)
    """
    done = installed.run("sh", "-c", script)
    assert done.stdout == f"removed: lock swap.json\npurged: {left}".rstrip() + "\n", done
    assert ("a swap is under way" in done.stderr) == bool(left)
    assert installed.state() in ("", "un")


def test_a_purge_leaves_nothing(installed: System, minimal: tuple[System, set[str]]) -> None:
    _, before = minimal
    during = installed.paths()
    assert "usr/lib/vfiotop/swap" in during
    installed.do(*APT, "remove", "vfiotop")
    # Debian remembers until a purge whether the unit was enabled.
    kept = "var/lib/systemd/deb-systemd-helper-enabled/"
    left = [path for path in installed.paths() if "vfiotop" in path]
    assert [path for path in left if not path.startswith(kept)] == []
    installed.do(*APT, *ONLY_NEEDED, "purge", "--auto-remove", "vfiotop")
    assert installed.paths() == before
