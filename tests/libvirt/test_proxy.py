"""The proxy that the other tests use leaves nothing behind."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from tests.libvirt.proxy import proxied


def test_no_thread_of_a_closed_proxy_is_left(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with socket.socket(socket.AF_UNIX) as target, socket.socket(socket.AF_UNIX) as client:
        target.bind(str(tmp_path / "target"))
        target.listen()
        with proxied(tmp_path / "target") as proxy:
            client.connect(str(proxy.path))
            served, _ = target.accept()
        served.close()
    assert set(threading.enumerate()) <= before
