"""The lab's tests run only inside it; each one names its topologies."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import thorough
from tests.lab.host import PATIENCE, bind, modprobe, run, slot
from tests.lab.sector import SectorGuest, sector_guest
from tests.lab.swaps import CARD, HOST, JOURNAL, SOUND, drivers
from tests.lab.topologies import TOPOLOGIES, Topology
from tests.lab.vm import RESULTS

INSIDE = Path(RESULTS).exists()

BOOTED = Path("/run/lab/booted")
"""Ends the boot of a machine with systemd (systemd.sh)."""

collect_ignore_glob = [] if INSIDE else ["test_*.py"]


def pytest_addoption(parser: pytest.Parser) -> None:
    if INSIDE:  # here this is the only conftest
        thorough.add_option(parser)
    parser.addoption("--topology", choices=TOPOLOGIES, help="the machine that this is")
    parser.addoption("--rounds", type=int, default=20, help="how often the soak lends the card")


def pytest_configure(config: pytest.Config) -> None:
    thorough.add_marker(config)
    config.addinivalue_line("markers", "only(*topologies): where a test of the lab is run")
    config.addinivalue_line("markers", "boots: needs a machine that is still booting; first")
    config.addinivalue_line("markers", "wreck: leaves a card that cannot be used any more; last")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if INSIDE:
        thorough.leave_out(config, items)
    here = config.getoption("--topology")
    others = [item for item in items if not _belongs(item, here)]
    config.hook.pytest_deselected(items=others)
    rest = [item for item in items if item not in others]
    items[:] = sorted(rest, key=_turn)


def _turn(item: pytest.Item) -> int:
    """Tests of the boot come first, those that leave an unusable card behind last."""
    if item.get_closest_marker("boots"):
        return 0
    return 2 if item.get_closest_marker("wreck") else 1


def _belongs(item: pytest.Item, topology: str) -> bool:
    marker = item.get_closest_marker("only")
    return marker is None or topology in marker.args


@pytest.fixture(scope="session")
def topology(pytestconfig: pytest.Config) -> Topology:
    return TOPOLOGIES[pytestconfig.getoption("--topology")]


@pytest.fixture(scope="session", autouse=INSIDE)
def libvirtd() -> None:
    """A libvirtd that answers; on a slow machine its first answer takes a while."""
    run("virsh", "--connect", "qemu:///system", "version")


@pytest.fixture(autouse=INSIDE)
def booted(request: pytest.FixtureRequest, topology: Topology) -> None:
    """With systemd, wait until the machine has booted, unless the test is about the boot."""
    if topology.systemd and not BOOTED.exists() and not request.node.get_closest_marker("boots"):
        BOOTED.touch()
        wait = ["systemctl", "is-system-running", "--wait"]
        subprocess.run(wait, check=False, stdout=subprocess.DEVNULL, timeout=PATIENCE)


@pytest.fixture
def with_the_host() -> Iterator[None]:
    """Leave the card of slot 2 with the host, even after a failure."""
    yield
    for function in (1, 0):
        bind(slot(2, function), None)


@pytest.fixture
def reset_cards(topology: Topology) -> Iterator[Callable[[str], None]]:
    """Change the models of the cards, and restore them at the end."""

    def reset(models: str) -> None:
        modprobe("-r", "nvidia", "snd_hda_intel", "lab_cards")
        modprobe("lab_cards", f"models={models}")
        modprobe("nvidia")
        modprobe("snd_hda_intel")
        run("udevadm", "settle")

    yield reset
    reset(",".join(topology.models))


@pytest.fixture
def whole() -> Iterator[None]:
    """The card with the host and no journal, before and after, even after a failure."""
    assert drivers() == HOST
    JOURNAL.unlink(missing_ok=True)
    yield
    for address in (SOUND, CARD):
        bind(address, None)
    JOURNAL.unlink(missing_ok=True)


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[SectorGuest]:
    """A guest with the card."""
    with sector_guest(tmp_path, CARD, SOUND) as defined:
        yield defined
