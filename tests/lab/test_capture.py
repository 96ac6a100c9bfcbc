"""A capture of this host, loaded again, gives the verdicts of the host."""

from __future__ import annotations

import json
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.lab.host import PATIENCE, run

pytestmark = pytest.mark.only("bad-acs", "usb-c")

ONLY_LIVE = {"privilege", "holders", "gpu.user", "gpu.answers", "kernel.log"}
"""The checks that ask processes, the driver or the kernel, which no capture has."""

NAME = "gurkenkiste"
"""The name of the host while it is captured."""


def verdicts(*arguments: str) -> dict[tuple[str, str | None], str]:
    done = subprocess.run(
        ["vfiotop", "doctor", "--json", *arguments], capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return {(c["id"], c["subject"]): c["verdict"] for c in json.loads(done.stdout)["checks"]}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("capture") / "host.tar.gz"
    name = socket.gethostname()
    socket.sethostname(NAME)
    try:
        print(run("vfiotop", "capture", str(file)))
    finally:
        socket.sethostname(name)
    return file


def test_the_verdicts_are_the_same(archive: Path) -> None:
    live, loaded = verdicts(), verdicts("--root", str(archive))
    assert live.keys() - loaded.keys() <= {(i, s) for i, s in live if i in ONLY_LIVE}
    other = {
        check: (verdict, loaded[check])
        for check, verdict in live.items()
        if check in loaded and check[0] not in ONLY_LIVE and loaded[check] != verdict
    }
    unmeasured = {check for check, (_, verdict) in other.items() if verdict == "unknown"}
    assert other.keys() == unmeasured
    print("only the host itself can tell:", sorted(unmeasured))
    assert [v for (i, _), v in loaded.items() if i in ("iommu.enabled", "iommu.viable")].count(
        "unknown"
    ) == 0


def test_its_owner_is_not_in_it(archive: Path) -> None:
    with tarfile.open(archive) as packed:
        files = {each.name: packed.extractfile(each) for each in packed if each.isfile()}
        texts = {name: file.read() for name, file in files.items() if file is not None}
    assert [path for path, text in texts.items() if NAME.encode() in text] == []
    print(*sorted(texts), sep="\n")
    assert "vfiotop-capture/REDACTED" in texts
