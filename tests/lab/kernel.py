"""The lab's kernel: Debian's, fetched by apt, unpacked next to the system and never installed;
and the lab's modules, built against its headers.

All of it stays in the user's cache, so only the first run downloads.
"""

from __future__ import annotations

import fcntl
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from tests.nvml.build import SOURCE as NVML_SOURCE
from tests.nvml.build import build as build_nvml

CACHE = user_cache_path("vfiotop") / "lab"
MODULES = Path(__file__).with_name("modules")
META_PACKAGES = ("linux-image-amd64", "linux-headers-amd64")
LIBVIRT = "libvirt-daemon-system"
UNITS = Path("/lib/systemd/system")
XZ = b"\xfd7zXZ\0"
"""The magic bytes of an xz stream."""


class LabError(Exception):
    """The lab cannot be built or run; the message says why and what to do."""


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel with the lab's modules, and the NVML library."""

    release: str
    root: Path
    nvml: Path

    @property
    def image(self) -> Path:
        return self.root / "boot" / f"vmlinuz-{self.release}"

    @property
    def unpacked(self) -> Path:
        """``image``, decompressed: a guest in the lab would need a minute for that."""
        return self.root / "boot" / "vmlinux"


def kernel() -> Kernel:
    """The newest kernel that apt knows, ready to boot. Raises ``LabError``."""
    try:
        packages = _packages()
    except LabError:  # no package lists yet, or outdated ones
        _update()
        packages = _packages()
    image = packages[0]
    release = image.name.removeprefix("linux-image-")
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone():
        root = CACHE / f"{image.name}_{image.version.replace(':', '_')}"
        if not root.exists():
            _unpack(packages, root, release)
        _add_modules(root, release)
        made = Kernel(release, root, _nvml())
        if not made.unpacked.exists():
            _decompress(made.image, made.unpacked)
        return made


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the cache's lock: two runs must not build the same thing."""
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- packages -----------------------------------------------------------------


@dataclass(frozen=True)
class Package:
    """A Debian package, in the version that apt would install."""

    name: str
    version: str


def _packages() -> list[Package]:
    """The kernel, then what its modules need to build: headers and tools."""
    image, headers = (_depended(name, name.removesuffix("amd64")) for name in META_PACKAGES)
    if image.removeprefix("linux-image-") != headers.removeprefix("linux-headers-"):
        raise LabError(f"apt knows {image} and {headers}, which do not fit; run `apt-get update`")
    names = (
        image, headers, _depended(headers, "linux-headers-"), _depended(headers, "linux-kbuild-"),
    )  # fmt: skip
    return [Package(name, _shown(name, "Version")) for name in names]


def _depended(package: str, prefix: str) -> str:
    """The dependency of a package with a matching name."""
    for dependency in _shown(package, "Depends").split(","):
        name = dependency.split()[0]
        if name.startswith(prefix):
            return name
    raise LabError(f"{package} depends on no {prefix}…; is this Debian on amd64?")


def _shown(package: str, field: str) -> str:
    """A field of the version that apt would install."""
    text = _run(["apt-cache", "--no-all-versions", "show", package]).stdout
    found = re.search(rf"^{field}: (.*)$", text, re.MULTILINE)
    if found is None:
        raise LabError(f"apt knows no {package}: the lab needs Debian's; run `apt-get update`")
    return found[1]


def _unpack(packages: Sequence[Package], root: Path, release: str) -> None:
    """Download, checked against apt's signed lists, and unpack below ``root``."""
    print(f"lab: fetching {packages[0].name} {packages[0].version}", flush=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as made:
        downloads, unpacked = Path(made, "downloads"), Path(made, "root")
        downloads.mkdir()
        _download([f"{package.name}={package.version}" for package in packages], downloads)
        for package in sorted(downloads.glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(package), str(unpacked)])
        # The headers refer to their other half by its installed path.
        makefile = unpacked / "usr/src" / f"linux-headers-{release}" / "Makefile"
        makefile.write_text(makefile.read_text().replace("/usr/src", f"{root}/usr/src"))
        if not (unpacked / "lib").exists():  # newer releases have everything in /usr
            (unpacked / "lib").symlink_to("usr/lib")
        for old in CACHE.glob("linux-image-*"):
            shutil.rmtree(old)
        unpacked.rename(root)


def _decompress(image: Path, target: Path) -> None:
    """Write the ELF file that is in a kernel image, if it is compressed with xz; else the image."""
    whole = image.read_bytes()
    _, magic, packed = whole.partition(XZ)
    part = target.with_suffix(".part")
    part.write_bytes(lzma.LZMADecompressor().decompress(magic + packed) if magic else whole)
    part.rename(target)


def _download(packages: Sequence[str], folder: Path) -> None:
    """Download as root: apt's sandbox user cannot write to our directory."""
    command = ["apt-get", "download", "-o", "APT::Sandbox::User=root", *packages]
    try:
        _run(command, cwd=folder)
    except LabError:  # an outdated list names what the archive no longer has
        _update()
        _run(command, cwd=folder)


def _update() -> None:
    update = ["apt-get", "update"]
    _run(update if os.geteuid() == 0 else ["sudo", "-n", *update])


def libvirt_units() -> Path | None:
    """The directory of libvirt's units, or ``None`` if they are installed. The package that has
    them would also set up libvirt for this machine, so it is only unpacked, like the kernel."""
    if (UNITS / "libvirtd.service").exists():
        return None
    package = Package(LIBVIRT, _shown(LIBVIRT, "Version"))
    with _alone():
        root = CACHE / f"{package.name}_{package.version.replace(':', '_')}"
        if not root.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as made:
                _download([f"{package.name}={package.version}"], Path(made))
                (archive,) = Path(made).glob("*.deb")
                _run(["dpkg-deb", "--extract", str(archive), str(Path(made, "root"))])
                Path(made, "root").rename(root)
    return root / UNITS.relative_to("/")


# --- modules ------------------------------------------------------------------


def _add_modules(root: Path, release: str) -> None:
    """Build the lab's modules into the kernel's module tree, where modprobe finds them."""
    sources = sorted(path for path in MODULES.iterdir() if path.name == "Kbuild" or
                     path.suffix in (".c", ".h"))  # fmt: skip
    built_of = _digest(sources)
    extra = root / "lib/modules" / release / "extra"
    stamp = extra / "built-of"
    if stamp.exists() and stamp.read_text() == built_of:
        return
    shutil.rmtree(extra, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as made:
        for source in sources:
            shutil.copy(source, made)
        headers = root / "usr/src" / f"linux-headers-{release}"
        _run(["make", "-C", str(headers), f"M={made}", "KCFLAGS=-Werror", "modules"])
        extra.mkdir()
        for module in Path(made).glob("*.ko"):
            shutil.copy(module, extra)
    _run(["depmod", "-b", str(root), release])
    stamp.write_text(built_of)


def _nvml() -> Path:
    """The directory of the stand-in for NVML."""
    folder = CACHE / f"nvml-{_digest([NVML_SOURCE])}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as made:
            target = Path(made, "nvml")
            target.mkdir()
            build_nvml(target)
            target.rename(folder)
    return folder


def _digest(files: Sequence[Path]) -> str:
    contents = hashlib.sha256()
    for file in files:
        contents.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return contents.hexdigest()[:16]


def _run(command: Sequence[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a tool whose output matters only if it fails. Raises ``LabError``."""
    environment = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
    }
    try:
        return subprocess.run(
            command, cwd=cwd, env=environment, check=True, capture_output=True, text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is not installed; `.ci/setup --lab` installs it") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip()
        raise LabError(f"`{' '.join(command)}` failed:\n{said}") from error
