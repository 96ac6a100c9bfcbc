"""Which libvirt URIs root opens, and what an ordinary user reads about the others."""

from __future__ import annotations

import os

import pytest

from tui import config
from tui.rules.libvirt_uri import (
    LOCAL,
    NOT_THE_SYSTEMS,
    SESSION,
    SYSTEM,
    why_not_as_root,
    why_not_the_systems,
    why_not_this_host,
)

FOREIGN = [
    ("qemu+ext:///system?command=/srv/evil.sh", "runs the program /srv/evil.sh"),
    ("qemu+ext:///system", "runs the program"),
    ("qemu+ssh://host/system", "is libvirt on host over ssh"),
    ("qemu+ssh://u@host/system?command=/x", "runs /x on the way to host"),
    ("qemu+ssh:///system?netcat=/x", "runs /x on the way to this machine"),
    ("qemu+libssh2://host/system", "is libvirt on host over libssh2"),
    ("qemu+tcp:///system", "is libvirt on localhost over tcp"),
    ("qemu://host/system", "is libvirt on host, not on this machine"),
    ("qemu+unix:///system?socket=/tmp/evil", "uses the socket /tmp/evil"),
    ("qemu:///system?socket=/tmp/evil", "uses the socket /tmp/evil"),
]
UNCLEAR = [
    "qemu:///embed?root=/tmp/x", "qemu:///system?mode=direct", "QEMU:///system", "qemu:///system#",
    "qemu:///system?", "qemu:///system/", " qemu:///system", "qemu:///system\n", "qemu://///system",
    "qemu:///sys\u200btem", "qemu:///%73ystem", "test:///tmp/evil.xml", "test+ssh:///default",
    "ext", "remote:///system", "lxc:///system", "esx://host", "", "http://[",
]  # fmt: skip


@pytest.mark.parametrize("uri", [uri for uri, _ in FOREIGN] + UNCLEAR)
def test_root_opens_none_but_the_local_ones(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not_as_root(uri) is not None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ValueError, match="root may open only qemu"):
        config.libvirt_uri(uri)
    with pytest.raises(ValueError, match="root may open only qemu"):
        config.parse({"connect": uri or "x"})


@pytest.mark.parametrize("uri", sorted(LOCAL))
def test_everybody_opens_the_local_ones(uri: str) -> None:
    assert why_not_as_root(uri) is None
    assert why_not_this_host(uri) is None
    assert config.libvirt_uri(uri) == uri


@pytest.mark.parametrize(("uri", "words"), FOREIGN)
def test_an_ordinary_user_reads_what_it_is(
    uri: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert config.libvirt_uri(uri) == uri
    assert words in (why_not_this_host(uri) or "")


@pytest.mark.parametrize(
    "uri",
    [
        "qemu+ext:///system?command=%1b[31mx", "qemu+ssh://host/system?command=%1b[31mx",
        "qemu:///system?socket=/tmp/%0a%1b[31mx",
    ],
)  # fmt: skip
def test_no_control_character_of_a_uri_is_said(uri: str) -> None:
    said = why_not_this_host(uri)
    assert said is not None and said.isprintable() and "[31mx" in said


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        (SYSTEM, None), ("qemu+unix:///system", None), ("qemu:///session", SESSION),
        ("qemu+unix:///session?mode=direct", SESSION), ("test:///default", NOT_THE_SYSTEMS),
        ("http://[", NOT_THE_SYSTEMS), FOREIGN[2],
    ],
)  # fmt: skip
def test_only_the_systems_libvirt_starts_guests_with_a_card(uri: str, why: str | None) -> None:
    found = why_not_the_systems(uri)
    assert found == why if why is None else str(found).startswith(why)
