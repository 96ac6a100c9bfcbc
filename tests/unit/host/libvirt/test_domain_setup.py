"""How a domain is set up besides its devices: what libvirt writes, and what it never does."""

from __future__ import annotations

import pytest

from tui.host.libvirt.domain_xml import definition
from tui.model import DomainSetup, MemoryPart, SharedMemory

GIB_PAGES = 1 << 20


def setup(inner: str) -> DomainSetup:
    found = definition(f"<domain><name>vm</name>{inner}</domain>", "vm.xml").setup
    assert found is not None
    return found


MEMORY = "<memory unit='GiB'>16</memory>"


@pytest.mark.parametrize(
    ("backing", "page"),
    [
        ("", None), ("<memoryBacking><nosharepages/></memoryBacking>", None),
        ("<memoryBacking><hugepages/></memoryBacking>", 0),
        ("<memoryBacking><hugepages><page size='1' unit='G'/></hugepages></memoryBacking>",
         GIB_PAGES),
        ("<memoryBacking><hugepages><page size='2048'/></hugepages></memoryBacking>", 2048),
        ("<memoryBacking><hugepages><page size='2' unit='MiB' nodeset='0'/></hugepages>"
         "</memoryBacking>", 2048),
        ("<memoryBacking><hugepages><page size='4' unit='KiB'/></hugepages></memoryBacking>", None),
        ("<memoryBacking><hugepages><page size='big'/></hugepages></memoryBacking>", None),
    ],
)  # fmt: skip
def test_the_pages_of_a_guest_without_cells(backing: str, page: int | None) -> None:
    assert setup(MEMORY + backing).memory == (MemoryPart(16384.0, page),)


def test_each_cell_has_pages_and_nodes_of_its_own() -> None:
    cells = (
        "<cpu><numa><cell id='0' cpus='0-3' memory='4' unit='GiB'/>"
        "<cell id='1' cpus='4-7' memory='8' unit='GiB'/><cell id='2' memory='4194304'/>"
        "</numa></cpu>"
    )
    pages = (
        "<memoryBacking><hugepages><page size='1' unit='G' nodeset='0'/>"
        "<page size='2048' unit='KiB' nodeset='1'/></hugepages></memoryBacking>"
    )
    tune = (
        "<numatune><memory mode='strict' nodeset='0-1'/>"
        "<memnode cellid='1' mode='preferred' nodeset='1'/>"
        "<memnode cellid='2' mode='strict' nodeset='1'/></numatune>"
    )
    assert setup(MEMORY + cells + pages + tune).memory == (
        MemoryPart(4096.0, GIB_PAGES, (0, 1)), MemoryPart(8192.0, 2048),
        MemoryPart(4096.0, None, (1,)),
    )  # fmt: skip


def test_what_is_plugged_into_cells_is_memory_too() -> None:
    xml = (
        "<cpu><numa><cell id='0' memory='4' unit='GiB'/></numa></cpu>"
        "<memoryBacking><hugepages/></memoryBacking>"
        "<numatune><memnode cellid='0' mode='strict' nodeset='1'/></numatune><devices>"
        "<memory model='dimm'><target><size unit='GiB'>8</size><node>0</node></target></memory>"
        "<memory model='dimm'><source><pagesize unit='KiB'>4</pagesize><nodemask>0</nodemask>"
        "</source><target><size unit='GiB'>1</size><node>0</node></target></memory>"
        "<memory model='virtio-mem'><source><pagesize unit='MiB'>2</pagesize></source><target>"
        "<size unit='GiB'>64</size><requested unit='GiB'>2</requested></target></memory>"
        "<memory model='nvdimm'><target><size unit='GiB'>99</size></target></memory></devices>"
    )
    found = setup(MEMORY + xml)
    assert found.memory == (
        MemoryPart(4096.0, 0, (1,)), MemoryPart(8192.0, 0, (1,)), MemoryPart(1024.0, None, (0,)),
        MemoryPart(2048.0, 2048),
    )  # fmt: skip
    assert found.memory_mib == 15360


@pytest.mark.parametrize(
    ("tune", "nodes"),
    [
        ("<memory mode='strict' nodeset='1'/>", (1,)), ("<memory nodeset='0-2,^1'/>", (0, 2)),
        ("<memory mode='preferred' nodeset='1'/>", ()), ("<memory placement='auto'/>", ()),
        ("<memory mode='interleave' nodeset='0-1'/>", ()), ("<memory nodeset='x'/>", ()),
    ],
)  # fmt: skip
def test_the_nodes_of_a_guest_without_cells(tune: str, nodes: tuple[int, ...]) -> None:
    assert setup(f"{MEMORY}<numatune>{tune}</numatune>").memory[0].nodes == nodes


def test_balloon_and_limits() -> None:
    plain = setup(MEMORY)
    assert (plain.balloon, plain.current_mib, plain.locked, plain.hard_limit_mib) == (
        True, None, False, None,
    )  # fmt: skip
    full = setup(
        f"{MEMORY}<currentMemory unit='GiB'>8</currentMemory><memoryBacking><locked/>"
        "</memoryBacking><memtune><hard_limit unit='GiB'>17</hard_limit></memtune>"
        "<devices><memballoon model='none'/></devices>"
    )
    assert (full.balloon, full.current_mib, full.locked, full.hard_limit_mib) == (
        False, 8192.0, True, 17408.0,
    )  # fmt: skip


@pytest.mark.parametrize("memory", ["<memory>lots</memory>", "<memory unit='zz'>4</memory>"])
def test_an_amount_that_is_none(memory: str) -> None:
    assert setup(memory).memory_mib is None


def test_without_memory_nothing_is_known() -> None:
    assert setup("") == DomainSetup()


@pytest.mark.parametrize(
    ("os", "firmware"),
    [
        ("", "bios"), ("<os><type>hvm</type></os>", "bios"), ("<os firmware='efi'/>", "uefi"),
        ("<os firmware='bios'/>", "bios"),
        ("<os><loader readonly='yes' type='pflash'>/usr/share/OVMF/x.fd</loader></os>", "uefi"),
        ("<os><loader type='rom'>/usr/share/seabios/bios.bin</loader></os>", "bios"),
    ],
)  # fmt: skip
def test_the_firmware(os: str, firmware: str) -> None:
    assert setup(os).firmware == firmware


def arguments(*values: str) -> str:
    space = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
    args = "".join(f"<qemu:arg value='{value}'/>" for value in values)
    return f"<qemu:commandline {space}>{args}</qemu:commandline>"


@pytest.mark.parametrize(
    ("values", "given"),
    [
        (("-fw_cfg", "name=opt/ovmf/X-PciMmio64Mb,string=65536"), 65536),
        (("-fw_cfg", "opt/ovmf/X-PciMmio64Mb,string=65536"), 65536),
        (("-fw_cfg", "name=opt/ovmf/X-PciMmio64Mb,string=lots"), None), ((), None),
    ],
)  # fmt: skip
def test_the_room_that_ovmf_is_asked_for(values: tuple[str, ...], given: int | None) -> None:
    assert setup(arguments(*values)).mmio64_mib == given


@pytest.mark.parametrize(
    ("inner", "backing"),
    [
        ("", "anonymous"),
        ("<memoryBacking><source type='anonymous'/></memoryBacking>", "anonymous"),
        ("<memoryBacking><source type='memfd'/></memoryBacking>", "memfd"),
        ("<memoryBacking><source type='file'/></memoryBacking>", "file"),
        (arguments("-mem-path", "/dev/hugepages", "-mem-prealloc"), "arguments"),
        (arguments("-machine", "memory-backend=ram0"), "arguments"),
        (arguments("-numa", "node,nodeid=0,memdev=ram0"), "arguments"),
        (arguments("-device", "ivshmem-plain,memdev=glass"), "anonymous"),
    ],
)  # fmt: skip
def test_where_the_memory_comes_from(inner: str, backing: str) -> None:
    assert setup(inner).backing == backing


@pytest.mark.parametrize(("mode", "immediate"), [("immediate", True), ("ondemand", False)])
def test_memory_that_is_allocated_before_the_guest_runs(mode: str, immediate: bool) -> None:
    found = setup(f"<memoryBacking><allocation mode='{mode}'/></memoryBacking>")
    assert found.immediate == immediate


SHM = "/dev/shm/looking-glass"


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        ("<devices><shmem name='looking-glass'><model type='ivshmem-plain'/>"
         "<size unit='M'>64</size></shmem></devices>", (SharedMemory(SHM, 64.0),)),
        ("<devices><shmem name='looking-glass'/></devices>", (SharedMemory(SHM),)),
        ("<devices><shmem name='../etc/passwd'><size unit='M'>4</size></shmem></devices>", ()),
        ("<devices><shmem name='x'><server path='/run/x'/></shmem></devices>", ()),
        (arguments("-object", "memory-backend-file,id=lg,share=on,mem-path=/dev/kvmfr0,size=128M"),
         (SharedMemory("/dev/kvmfr0", 128.0),)),
        (arguments("-object", '{"qom-type":"memory-backend-file","id":"lg",'
                   '"mem-path":"/dev/kvmfr0","size":67108864,"share":true}'),
         (SharedMemory("/dev/kvmfr0", 64.0),)),
        (arguments("-object", f"memory-backend-file,mem-path={SHM},size=32M"),
         (SharedMemory(SHM, 32.0),)),
        (arguments("-object", "memory-backend-file,mem-path=/dev/sda,size=32M"), ()),
        ("<devices><shmem name='a b;rm'/></devices>", ()),
        (arguments("-object", f"memory-backend-file,mem-path={SHM}$(x),size=32M"), ()),
    ],
)  # fmt: skip
def test_memory_that_programs_of_the_host_share(
    inner: str, found: tuple[SharedMemory, ...]
) -> None:
    assert setup(inner).shared == found


ROOT = "<devices><controller type='pci' index='{}' model='pcie-root'>{}</controller></devices>"
HOLE = "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{}"
HOLE += "</qemu:commandline>"


@pytest.mark.parametrize(
    ("inner", "mib"),
    [
        ("", None), (ROOT.format(0, ""), None),
        (ROOT.format(0, "<pcihole64 unit='KiB'>67108864</pcihole64>"), 65536),
        (ROOT.format(0, "<pcihole64 unit='GiB'>64</pcihole64>"), 65536),
        (ROOT.format(0, "<pcihole64>1048576</pcihole64>"), 1024),
        (ROOT.format(0, "<pcihole64 unit='KiB'>0</pcihole64>"), 0),
        (ROOT.format(1, "<pcihole64>0</pcihole64>"), None),
        (ROOT.format(0, "<pcihole64>much</pcihole64>"), None),
        (HOLE.format("<qemu:arg value='-global'/>"
                     "<qemu:arg value='q35-pcihost.pci-hole64-size=2T'/>"), 2 << 20),
        (ROOT.format(0, "<pcihole64>0</pcihole64>") + HOLE.format(
            "<qemu:arg value='i440FX-pcihost.pci-hole64-size=8G'/>"
            "<qemu:arg value='i440FX-pcihost.pci-hole64-size=1048576'/>"), 1),
        (HOLE.format("<qemu:arg value='q35-pcihost.pci-hole64-size=2T,x'/>"), None),
    ],
)  # fmt: skip
def test_the_64_bit_pci_hole(inner: str, mib: float | None) -> None:
    assert setup(inner).hole64_mib == mib
