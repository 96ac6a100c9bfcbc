"""The rules of the layout that no linter checks: where files go, how long they are, what an
import loads, what a wheel has."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FOLDERS = {".ci", ".github", ".packaging", "screenshots", "tests", "tui", "widgets"}
FILES = {
    ".editorconfig",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "MANIFEST.in",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "pyproject.toml",
    "requirements.lock",
}

PACKAGES = {
    "tui/cli", "tui/guest", "tui/host", "tui/model", "tui/process", "tui/report", "tui/rules",
    "tui/screens", "tui/swap", "tui/terminal", "tui/watch",
    "tui/host/agent", "tui/host/capture", "tui/host/demo", "tui/host/drm", "tui/host/history",
    "tui/host/journal", "tui/host/libvirt", "tui/host/nvml", "tui/host/pci", "tui/host/proc",
    "tui/host/readiness", "tui/host/uses", "tui/host/watch",
}  # fmt: skip
"""The folders of the program; CONTRIBUTING.md says what each one holds."""

LINES = 300
LONGER = {
    "tui/host/demo/boards.py": "tables of PCI functions",
    "tui/host/libvirt/domain_edit.py": "edits of one XML document, byte by byte",
    "tui/model/__init__.py": "the list of its names",
}
"""Modules that may have more than ``LINES`` lines, each with the reason."""

ADDRESS = re.compile(r"://|--(?:extra-)?index-url|--find-links|\s@\s")
MACHINE_PATH = re.compile(r"(?<![\w.}-])/(?:home|root|work|Users)/[\w.-]+")


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """What git tracks or would track, relative to the top."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [Path(name) for name in listed.split("\0") if name]


def test_the_top_level_holds_nothing_else(files: list[Path]) -> None:
    assert {path.parts[0] for path in files if len(path.parts) > 1} <= FOLDERS
    assert {path.name for path in files if len(path.parts) == 1} <= FILES


def modules(files: list[Path]) -> list[Path]:
    return [
        path
        for path in files
        if path.suffix == ".py" and path.parts[0] in ("tui", "widgets") and (ROOT / path).is_file()
    ]


def test_the_program_has_the_folders_of_the_plan(files: list[Path]) -> None:
    folders = {path.parent.as_posix() for path in modules(files)}
    assert folders == {"tui", "widgets", *PACKAGES}


def test_contributing_lists_each_folder_of_the_program() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert [folder for folder in PACKAGES if f"{Path(folder).name}/" not in text] == []


def test_modules_are_short_or_have_a_reason(files: list[Path]) -> None:
    counts = {p.as_posix(): len((ROOT / p).read_text().splitlines()) for p in modules(files)}
    assert {name for name, count in counts.items() if count > LINES} <= set(LONGER)
    assert {name for name in LONGER if counts.get(name, 0) <= LINES} == set()


def test_unit_tests_mirror_the_program(files: list[Path]) -> None:
    unit = Path("tests/unit")
    tested = {path.parent.relative_to(unit) for path in files if path.is_relative_to(unit)}
    known = {Path(), Path("widgets"), *(Path(each).relative_to("tui") for each in PACKAGES)}
    assert tested <= known


def test_no_file_names_a_path_of_one_machine(files: list[Path]) -> None:
    found = []
    for path in files:
        if path == Path(__file__).relative_to(ROOT) or not (ROOT / path).is_file():
            continue
        text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
        found += [f"{path}: {match.group()}" for match in MACHINE_PATH.finditer(text)]
    assert found == []


@pytest.mark.parametrize("text", ["see /home/me/x", "#!/root/.venv/bin/x"])
def test_a_path_of_one_machine_is_recognised(text: str) -> None:
    assert MACHINE_PATH.search(text)


def requirements() -> dict[str, str]:
    """The lock's entries by name, each with its version and hashes."""
    entries = re.split(r"^(?=\S)", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    named = {re.split(r"[=\s]", entry)[0]: entry for entry in entries if entry.strip()}
    return {name: entry for name, entry in named.items() if not name.startswith("#")}


def test_the_lock_names_no_address() -> None:
    assert ADDRESS.findall((ROOT / "requirements.lock").read_text()) == []


def test_the_lock_pins_every_package_with_hashes() -> None:
    loose = [
        name
        for name, entry in requirements().items()
        if not re.match(
            r"[a-z0-9-]+==[\w.]+( ; [^\n]+)? \\\n( +--hash=sha256:[0-9a-f]{64}\b)", entry
        )
    ]
    assert loose == []


def test_the_lock_has_what_the_program_and_its_build_need() -> None:
    needed = {
        "textual", "msgspec", "pyudev", "libvirt-python", "nvidia-ml-py", "platformdirs",
        "prometheus-client",
    }  # fmt: skip
    assert needed | {"setuptools"} <= set(requirements())


@pytest.mark.parametrize(
    ("module", "kept_out"),
    [
        ("tui.model", "textual libvirt pyudev pynvml"),
        ("tui.rules.view", "textual libvirt pyudev pynvml"),
        ("tui.session", "textual libvirt pyudev pynvml asyncio"),
        ("tui.watch.service", "textual libvirt pyudev pynvml asyncio ssl"),
        ("tui.host.nvml.child", "textual libvirt pyudev asyncio"),
        (
            "tui.__main__",
            "tui.cli tui.process.output argparse json typing platformdirs",
        ),
    ],
)
def test_importing_it_loads_nothing_heavy(module: str, kept_out: str) -> None:
    script = f"import sys, {module}; print(*(set('{kept_out}'.split()) & set(sys.modules)))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_readme_names_keys_that_the_screen_has() -> None:
    from tui.commands import COMMANDS

    rows = re.findall(r"^\| (`.*?`) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    keys = [key for row in rows for key in re.findall(r"`([^`]+)`", row)]
    known = {c.key_label for c in COMMANDS if not c.screens or "overview" in c.screens}
    assert {"b", "?"} <= set(keys) <= known


def test_every_picture_of_the_readme_is_there() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(pictures) == 6
    assert [name for name in pictures if not (ROOT / name).is_file()] == []


def test_the_wheel_has_every_file_of_the_program(files: list[Path]) -> None:
    """Besides Python files, setuptools packs only what pyproject.toml names."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packed = {
        path
        for package, patterns in declared["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package).glob(pattern)
    }
    needed = {
        ROOT / path
        for path in files
        if path.parts[0] in ("tui", "widgets") and path.suffix != ".py" and (ROOT / path).is_file()
    }
    assert len(needed) >= 3
    assert packed == needed
