"""The sdist and the wheel: what they hold, and what pipx and uv install from them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.attack.sandbox import HOME, ROOT, UID, Sandbox, sandbox
from tests.attack.test_privilege import ABSENT
from tests.bench.terminal import Terminal
from tui import __version__

__all__ = ["sandbox"]

BUILD_S = 600

NAME = f"vfiotop-{__version__}"

MADE = {"PKG-INFO", "setup.cfg"}
"""What an sdist has besides the checkout's own files, and ``*.egg-info``."""

LEFT_OUT = {".editorconfig", ".gitignore", ".github", "screenshots"}
"""What an sdist lacks: it serves the checkout, or is a picture."""


BEGIN = """
import sys
from tui.model.requests import SwapRequest
from tui.swap.launcher import Launcher
Launcher("sudo").begin(SwapRequest("bind", sys.argv[1]))
"""


class Distributions(NamedTuple):
    """Both files, and what was printed while they were built."""

    sdist: Path
    wheel: Path
    output: str


def run(
    *command: str | Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True,
        timeout=BUILD_S, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def files() -> set[str]:
    """What git tracks or would track."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert listed.returncode == 0, listed
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of build, twine, pipx and uv."""
    folder = tmp_path_factory.mktemp("tools") / "venv"
    run(sys.executable, "-m", "venv", folder)
    done = run(
        folder / "bin" / "python", "-m", "pip", "--quiet", "install", "--require-hashes",
        "--no-deps", "-r", Path(__file__).with_name("requirements.txt"),
    )  # fmt: skip
    assert done.returncode == 0, done
    return folder / "bin"


@pytest.fixture(scope="module")
def built(files: set[str], tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Built from a copy, since setuptools leaves files beside what it builds."""
    folder = tmp_path_factory.mktemp("built")
    for name in files:
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    done = run(
        tools / "python", "-W", "error", "-m", "build", "--outdir", folder, folder / "source",
        env={"PYTHONDONTWRITEBYTECODE": ""},
    )  # fmt: skip
    assert done.returncode == 0, done
    wheel = folder / f"{NAME}-py3-none-any.whl"
    return Distributions(folder / f"{NAME}.tar.gz", wheel, done.stdout + done.stderr)


def test_building_warns_of_nothing(built: Distributions) -> None:
    assert "Successfully built" in built.output
    assert [line for line in built.output.splitlines() if "warning" in line.lower()] == []


def test_twine_finds_nothing(built: Distributions, tools: Path) -> None:
    done = run(tools / "twine", "check", "--strict", built.sdist, built.wheel)
    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done


def test_the_wheel_has_the_program_and_nothing_else(built: Distributions, files: set[str]) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        held = {name for name in wheel.namelist() if not name.startswith(f"{NAME}.dist-info/")}
    assert held == {name for name in files if name.startswith(("tui/", "widgets/"))}


def test_the_sdist_has_what_tests_and_make_install_need(
    built: Distributions, files: set[str]
) -> None:
    with tarfile.open(built.sdist) as sdist:
        held = {m.name.removeprefix(f"{NAME}/") for m in sdist if m.isfile()}
        setup = sdist.getmember(f"{NAME}/.ci/setup")
    assert setup.mode & 0o111 == 0o111
    own = {name for name in held - MADE if not name.startswith("vfiotop.egg-info/")}
    assert own == {name for name in files if name.split("/")[0] not in LEFT_OUT}


def install(
    tool: str,
    tools: Path,
    distribution: Path,
    home: Path,
    seen_as: Path | None = None,
    python: str = sys.executable,
) -> None:
    """Install as a user with an empty home does. ``seen_as`` is where the program finds the home
    when it runs."""
    words = {"pipx": ["install"], "uv": ["tool", "install"]}[tool]
    command: list[str | Path] = [tools / tool, *words, "--python", python, distribution]
    if seen_as is not None:
        script = 'mount --bind "$0" "$1" && shift && exec "$@"'
        alone = ["unshare", "--mount", "--propagation", "private"]
        command = [*alone, "sh", "-c", script, home, seen_as, *command]
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("PIPX_", "UV_", "XDG_"))}
    own = {"HOME": str(seen_as or home), "PATH": "/usr/bin:/bin", "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(
        command, env=kept | own, cwd="/", capture_output=True, text=True, timeout=BUILD_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done


@pytest.fixture(
    scope="module", params=[(tool, kind) for tool in ("pipx", "uv") for kind in ("sdist", "wheel")],
    ids="-".join,
)  # fmt: skip
def home(
    request: pytest.FixtureRequest, built: Distributions, tools: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """A home into which the program is installed."""
    tool, kind = request.param
    folder = tmp_path_factory.mktemp("home")
    install(tool, tools, built.sdist if kind == "sdist" else built.wheel, folder)
    return folder


def surroundings(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--version"], f"vfiotop {__version__}"),
        (["status", "--demo", "gaming"], "GeForce"),
        (["plan", "bind", "--demo", "desk"], "vfio-pci"),
    ],
)
def test_what_is_installed_runs(home: Path, words: list[str], said: str) -> None:
    done = subprocess.run(
        [home / ".local/bin/vfiotop", *words], env=surroundings(home), cwd="/",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done
    assert said in done.stdout


def opens_the_screen(home: Path) -> None:
    program = str(home / ".local/bin/vfiotop")
    with Terminal([program, "--demo", "gaming"], surroundings(home)) as terminal:
        terminal.until(lambda text: "RTX" in text)
        terminal.press("?")
        terminal.until(lambda text: "─ Help" in text)
        terminal.press("qq")
        assert terminal.end() == 0


def test_what_is_installed_opens_the_screen(home: Path) -> None:
    opens_the_screen(home)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_each_python_that_it_claims_opens_the_screen(
    built: Distributions, tools: Path, tmp_path: Path, version: str
) -> None:
    # Where distributions and pyenv put it; libvirt-python needs its headers.
    usual = (Path("/usr"), *Path.home().glob(f".pyenv/versions/{version}.*"))
    found = [p for p in usual if (p / f"include/python{version}/Python.h").exists()]
    if not found:
        pytest.skip(f"there is no Python {version} with headers")
    python = str(found[0] / f"bin/python{version}")
    install("uv", tools, built.wheel, tmp_path, python=python)
    opens_the_screen(tmp_path)


def test_a_user_of_pipx_hears_that_root_would_run_code_of_the_user(
    sandbox: Sandbox, built: Distributions, tools: Path
) -> None:
    install("pipx", tools, built.wheel, sandbox.home, seen_as=HOME)
    for path in (sandbox.home, *sandbox.home.rglob("*")):
        os.chown(path, UID, UID, follow_symlinks=False)
    done = sandbox.run(f"{HOME}/.local/bin/vfiotop", "doctor", "--json")
    (found,) = (c for c in json.loads(done.stdout)["checks"] if c["id"] == "privilege")
    assert found["verdict"] == "warn"
    assert f"it would run code that player can change ({HOME})" in found["why"]
    assert "a package or `sudo make install`" in found["fix"]
    assert "NOPASSWD" not in found["fix"]
    # What b and `vfiotop bind` do, once the user has consented to the plan for a card.
    python = f"{HOME}/.local/share/pipx/venvs/vfiotop/bin/python"
    done = sandbox.run(python, "-c", BEGIN, ABSENT)
    assert f"sudo runs code that player can change ({HOME}): a package or" in done.stderr
    assert f"Refused: {ABSENT}" in done.stderr or "GPU" in done.stderr.splitlines()[-1]
