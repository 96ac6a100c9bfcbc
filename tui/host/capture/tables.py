"""Files of /proc and the like, rewritten with only the fields that are read."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from tui.host.capture.known import FOLDERS
from tui.host.capture.standins import StandIns
from tui.host.proc.mounts import Mount, unescaped
from tui.host.uses.network import ipv6, own_addresses, routes

_PLAIN = re.compile(r"[a-z0-9._-]{1,40}")
_ID = re.compile(r"""^(ID|ID_LIKE|VERSION_ID|VARIANT_ID)=["']?([a-z0-9 ._-]{1,80})["']?$""", re.M)
_MAKER = re.compile(
    r"^(vendor_id|model name|CPU implementer)\s*: ([A-Za-z0-9 ()@.,+-]{1,80})$", re.MULTILINE
)
_MEMINFO = re.compile(
    r"^(?:MemTotal|MemFree|MemAvailable|SwapTotal|SwapFree|HugePages_\w{1,8}|Hugepagesize): {1,40}"
    r"[0-9]{1,15}(?: kB)?$", re.MULTILINE,
)  # fmt: skip
_ARC = re.compile(r"^(?:size|c_min|c_max) {1,40}[0-9]{1,2} {1,40}[0-9]{1,18}$", re.MULTILINE)
_PAGE_SIZE = re.compile(rb"pagesize=[0-9]{1,9}[KMG]")
_IOMEM = re.compile(r"^( {0,10})[0-9a-f]+-[0-9a-f]+ : (.{1,80})$", re.MULTILINE)
_IOMEM_NAME = re.compile(
    r"PCI Bus [0-9a-f:]{7}|[0-9a-f:.]{12}|BOOTFB|efifb|vesafb|simplefb|simpledrm"
    r"|simple-framebuffer|efi-framebuffer"
)
_SUPERGFX = re.compile(r'"vfio_enable"\s*:\s*true')
_DRIVER = re.compile(r"vfio-pci|pci-stub|nvidia|nouveau|amdgpu|radeon|i915|xe|snd_hda_intel|none")
_NVIDIA = re.compile(r"NVRM version: [A-Za-z0-9_ ]{1,80}\s[0-9]{1,4}(?:\.[0-9]{1,4}){1,2}(?=\s)")
_LOADER = re.compile(r"[A-Za-z-]{1,24}(?: [0-9][0-9.]{0,15})?")
_TYPE = re.compile(r"^E:ID_FS_TYPE=([A-Za-z0-9_]{1,40})$", re.MULTILINE)
_KEYBOARD = re.compile(r"^(?:I:|P: Phys=isa0060/serio|H: Handlers=)[A-Za-z0-9/= ]*", re.MULTILINE)


def os_release(text: str, _: StandIns) -> str:
    """Keep the names of the distribution."""
    return "".join(f'{name}="{value}"\n' for name, value in _ID.findall(text))


def cpuinfo(text: str, _: StandIns) -> str:
    """Keep the first processor's maker and model."""
    found: dict[str, str] = {}
    for name, value in _MAKER.findall(text):
        found.setdefault(name, value)
    return "".join(f"{name}\t: {value}\n" for name, value in found.items())


def modules(text: str, stand_ins: StandIns) -> str:
    """Keep the names in /proc/modules."""
    names = [line.split(" ")[0] for line in text.split("\n") if line]
    return "".join(f"{stand_ins.name(name)} 0 0 - Live 0x0\n" for name in names)


def meminfo(text: str, _: StandIns) -> str:
    """Keep how much memory there is."""
    return "".join(f"{line}\n" for line in _MEMINFO.findall(text))


def arcstats(text: str, _: StandIns) -> str:
    """Keep the size of ZFS's cache."""
    return "".join(f"{line}\n" for line in _ARC.findall(text))


def iomem(text: str, _: StandIns) -> str:
    """Keep which PCI function's memory holds the firmware's framebuffer."""
    return "".join(
        f"{found[1]}00000000-00000000 : {name if _IOMEM_NAME.fullmatch(name) else 'other'}\n"
        for found in _IOMEM.finditer(text)
        for name in (found[2],)
    )


def supergfxd(text: str, _: StandIns) -> str:
    """Keep whether supergfxd uses VFIO."""
    return '{"vfio_enable": true}\n' if _SUPERGFX.search(text) else "{}\n"


def driverctl(text: str, _: StandIns) -> str:
    """Keep the driver that driverctl binds."""
    driver = text.strip()
    return f"{driver}\n" if _DRIVER.fullmatch(driver) else "other\n"


def dep(text: str, stand_ins: StandIns) -> str:
    """Keep the modules in one of depmod's lists, without what they depend on."""
    return stand_ins.name(re.sub(r":.*", ":", text))


def nvidia_version(text: str, _: StandIns) -> str:
    """Keep the version, and drop what follows it: who built the module."""
    found = _NVIDIA.search(text)
    return "" if found is None else f"{found[0]} \n"


def loader_info(data: bytes, _: StandIns) -> bytes:
    """Keep the loader's name in the EFI variable."""
    found = _LOADER.match(data[4:].decode("utf-16-le", "replace"))
    return b"" if found is None else data[:4] + f"{found[0]}\0".encode("utf-16-le")


def udev_block(text: str, _: StandIns) -> str:
    """Keep the type of a file system."""
    found = _TYPE.search(text)
    return "I:0\n" + ("" if found is None else f"E:ID_FS_TYPE={found[1]}\n")


def inputs(text: str, _: StandIns) -> str:
    """Keep the built-in keyboard."""
    blocks = [block for block in text.split("\n\n") if "Phys=isa0060/serio" in block]
    return "".join("\n".join(_KEYBOARD.findall(block)) + "\n\n" for block in blocks)


# --- disks --------------------------------------------------------------------


def mountinfo(data: bytes, stand_ins: StandIns) -> bytes:
    """Keep the mounts of block devices and pools."""
    lines = []
    for line in data.split(b"\n"):
        try:
            mount = Mount(line)
        except (ValueError, IndexError):
            continue
        number = b"0:0" if mount.number is None else mount.number
        if mount.source.startswith(b"/dev/") or mount.type == b"zfs" or number[:2] != b"0:":
            rest = _mount(mount.source, mount.point, mount.type, stand_ins)
            source, point, kind = rest
            lines.append(f"1 1 {number.decode()} / {point} rw - {kind} {source} rw\n")
    return "".join(lines).encode()


def mounts(data: bytes, stand_ins: StandIns) -> bytes:
    """Keep the same of /proc/mounts, and the page sizes of mounted hugetlbfs."""
    lines = []
    for line in data.split(b"\n"):
        fields = line.split(b" ")
        if len(fields) >= 4 and fields[2] == b"hugetlbfs":
            size = _PAGE_SIZE.search(fields[3])
            lines.append(f"hugetlbfs /dev/hugepages hugetlbfs {size[0].decode() if size else 'rw'} "
                         "0 0\n")  # fmt: skip
        elif len(fields) >= 4 and (fields[0].startswith(b"/dev/") or fields[2] == b"zfs"):
            source, point = unescaped(fields[0]), unescaped(fields[1])
            lines.append("{} {} {} rw 0 0\n".format(*_mount(source, point, fields[2], stand_ins)))
    return "".join(lines).encode()


def _mount(source: bytes, point: bytes, kind: bytes, stand_ins: StandIns) -> tuple[str, str, str]:
    """Return source, mount point and type, redacted."""
    of, shown = source.decode("utf-8", "replace"), kind.decode("ascii", "replace")
    shown = shown if _PLAIN.fullmatch(shown) else "other"
    if of.startswith("/dev/"):
        device = ":".join(stand_ins.device(each) for each in of.split(":"))
    else:
        device = "none" if shown != "zfs" else stand_ins.of("pool names", of)
    return device, _point(point.decode("utf-8", "replace"), stand_ins), shown


def _point(point: str, stand_ins: StandIns) -> str:
    parts = [
        part if not part or part in FOLDERS else _folder(part, stand_ins)
        for part in point.split("/")
    ]
    return "/".join(parts)


def _folder(name: str, stand_ins: StandIns) -> str:
    """Return a folder's name: for a home, the user's stand-in, else one of its own."""
    whose = next((n for n in stand_ins.personal.names if n.lower() == name.lower()), None)
    if whose is not None:
        return stand_ins.of(*stand_ins.personal.kind_of(whose))
    return stand_ins.of("folder names", name)


def swaps(data: bytes, stand_ins: StandIns) -> bytes:
    """Keep the partitions that are swap."""
    lines = ["Filename\tType\tSize\tUsed\tPriority\n"]
    for line in data.split(b"\n")[1:]:
        row = re.split(rb"[ \t]+", line)
        if len(row) >= 5 and row[1] == b"partition":
            path = unescaped(row[0]).decode("utf-8", "replace")
            lines.append(f"{stand_ins.device(path)}\tpartition\t0\t0\t0\n")
    return "".join(lines).encode()


# --- networks -----------------------------------------------------------------


def route(text: str, fib_trie: str, stand_ins: StandIns) -> tuple[str, str]:
    """Return both tables with one network of its own for each address that an interface has.

    An interface that has only routes keeps a default route.
    """
    table, addresses = routes(text), own_addresses(fib_trie)
    head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    rows, leaves = [], list[str]()
    for interface in dict.fromkeys(each.interface for each in table):
        name = stand_ins.interface(interface)
        rows.append(f"{name}\t00000000\t00000000\t1\t0\t0\t0\t00000000\n")
        mine = sorted((r for r in table if r.interface == interface), key=lambda r: -r.mask)
        direct = [each for each in mine if each.direct and each.mask]
        has = [a for each in direct for a in addresses if a & each.mask == each.network]
        for address in dict.fromkeys(has[:1]):
            shown = stand_ins.of("IPv4 addresses", str(IPv4Address(address)))
            number = int(IPv4Address(shown)).to_bytes(4, "little").hex().upper()
            rows.append(f"{name}\t{number}\t00000000\t1\t0\t0\t0\tFFFFFFFF\n")
            leaves.append(f"     |-- {shown}\n        /32 host LOCAL\n")
    return head + "".join(rows), "Local:\n" + "".join(leaves)


def if_inet6(text: str, stand_ins: StandIns) -> str:
    """Keep one address of each interface that has more than a link-local one."""
    lines = []
    for interface, address in ipv6(text).items():
        shown = stand_ins.of("IPv6 addresses", address)
        lines.append(
            f"{int(IPv6Address(shown)):032x} 02 40 00 80 {stand_ins.interface(interface)}\n"
        )
    return "".join(lines)
