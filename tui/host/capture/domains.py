"""A domain's XML as an allow-list: elements and attributes stay, values only if they are known.

What vfiotop reads of a definition is in ``tui.host.libvirt.domain_xml``; the values kept here are
those, and numbers and words that libvirt's schema fixes.
Source: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

import re
import uuid as uuids
from collections.abc import Callable, Sequence
from xml.etree import ElementTree  # nosec B405  # the definition has passed domain_xml's bounds

from tui.host.capture import known
from tui.host.capture.memory import MemoryTree
from tui.host.capture.qemu import arguments, option_value
from tui.host.capture.qemu import without_secrets as arguments_without_secrets
from tui.host.capture.standins import StandIns
from tui.host.libvirt.domain_files import read
from tui.host.libvirt.domain_xml import TEXT_LIMIT, DefinitionError, definition
from tui.host.libvirt.host_devices import QEMU, XEN

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,60}")
_TARGET = re.compile(r"(?:[shv]d|fd|xvd|nvme|vnet|macvtap|tap)[a-z0-9]{1,8}")
_REMOVED = "removed"


def redacted(xml: str, stand_ins: StandIns) -> str:
    """Return the XML of a file with only what is known to be harmless."""
    return _rewritten(xml, lambda root: _redact(root, stand_ins))


def without_secrets(xml: str, stand_ins: StandIns) -> str:
    """Return the XML of a file without passwords and secrets."""
    return _rewritten(xml, lambda root: _strip(root, stand_ins))


def file(data: bytes, stand_ins: StandIns, change: Callable[[str, StandIns], str]) -> bytes:
    """Return a domain's file, changed. An unreadable one stays unreadable for the same reason."""
    name = "domain.xml"
    try:
        written = read(MemoryTree({name: data}, "capture"), name)
        definition_error = _problem(written.xml)
    except DefinitionError as error:
        return _like(str(error))
    if definition_error is not None and definition_error in _UNPARSED:
        return _like(definition_error)
    return change(written.xml, stand_ins).encode()


def _problem(xml: str) -> str | None:
    try:
        definition(xml, "stand-in")
    except DefinitionError as error:
        return str(error)
    return None


_UNPARSED: dict[str, bytes] = {
    "its definition is longer than 1 MiB": b" " * (TEXT_LIMIT + 1),
    "its definition has a DTD": b"<!DOCTYPE domain><domain/>",
    "its definition is not well-formed XML": b"<domain>",
    "its definition is not a <domain>": b"<other/>",
    "its file is not UTF-8 text": b"<\xff",
}
"""Files that cannot be read, by reason."""


def _like(problem: str) -> bytes:
    return _UNPARSED.get(problem, b"<domain>")


def _rewritten(xml: str, change: Callable[[ElementTree.Element], None]) -> str:
    root = ElementTree.fromstring(xml)  # noqa: S314  # nosec B314  # bounded, no DTD
    change(root)
    ElementTree.register_namespace("qemu", QEMU[1:-1])
    return ElementTree.tostring(root, encoding="unicode") + "\n"


# --- the allow-list -----------------------------------------------------------


def _redact(element: ElementTree.Element, stand_ins: StandIns, above: str = "") -> None:
    tag = element.tag
    for child in list(element):
        space = str(child.tag).partition("}")[0] + "}"
        foreign = "}" in str(child.tag) and space not in (QEMU, XEN)
        if foreign or child.tag == "metadata" or not _NAME.fullmatch(_local(child)):
            element.remove(child)
            stand_ins.remove("elements of other programs")
    if tag in (f"{QEMU}commandline", f"{XEN}commandline"):
        _redact_arguments(element, stand_ins)
        return
    element.tail = None
    element.text = _text(element, above, stand_ins)
    for name, value in list(element.attrib.items()):
        if not _NAME.fullmatch(name):
            del element.attrib[name]
            stand_ins.remove("values in domain XML")
            continue
        element.attrib[name] = _attribute(element, name, value, stand_ins)
    for child in element:
        _redact(child, stand_ins, str(tag))


def _local(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(element: ElementTree.Element, above: str, stand_ins: StandIns) -> str | None:
    text, tag = element.text or "", _local(element)
    if not text.strip():
        return None
    if tag == "name" and above in ("domain", "domainsnapshot", ""):
        return stand_ins.guest(text)
    if tag == "uuid" and above == "domain":
        return _uuid(text, stand_ins)
    if any(pattern.fullmatch(text.strip()) for pattern in known.TEXTS.get(tag, ())):
        return stand_ins.text(text.strip())
    _count(element, tag, stand_ins)
    return "redacted"


def _attribute(element: ElementTree.Element, name: str, value: str, stand_ins: StandIns) -> str:
    tag = _local(element)
    if name == "uuid":
        return _uuid(value, stand_ins)
    if tag == "mac" and name == "address":
        return stand_ins.mac(value)
    if tag == "property":  # of <qemu:override>
        return _property(element, name, value, stand_ins)
    if not value or (name == "dev" and tag == "target" and _TARGET.fullmatch(value)):
        return value
    if _is_known(tag, name, value):
        return stand_ins.text(value)
    _count(element, name, stand_ins)
    return "redacted"


def _is_known(tag: str, name: str, value: str) -> bool:
    if name == "name" and tag == "shmem":
        return known.SHARED.fullmatch(value) is not None
    if name == "name":
        named = tag in known.NAMED_ELEMENTS and known.WORD.fullmatch(value)
        return bool(named or (tag == "target" and known.CHANNELS.fullmatch(value)))
    patterns = () if tag in known.SECRET_ELEMENTS else known.ATTRIBUTES.get(name, ())
    return any(pattern.fullmatch(value) for pattern in patterns)


def _property(element: ElementTree.Element, name: str, value: str, stand_ins: StandIns) -> str:
    if name in ("type", "name"):
        return stand_ins.text(value) if _NAME.fullmatch(value) else "redacted"
    kept = option_value(element.get("name", ""), value, stand_ins)
    if kept is None:
        _count(element, name, stand_ins)
    return kept or "redacted"


def _redact_arguments(
    element: ElementTree.Element,
    stand_ins: StandIns,
    change: Callable[[Sequence[str], StandIns], list[str]] = arguments,
) -> None:
    space = str(element.tag).partition("}")[0] + "}"
    words = [arg.get("value", "") for arg in element.iterfind(f"{space}arg")]
    element.clear()
    for word in change(words, stand_ins):
        ElementTree.SubElement(element, f"{space}arg", {"value": word})


def _uuid(text: str, stand_ins: StandIns) -> str:
    """Return the stand-in of a UUID in libvirt's form; anything else is removed."""
    try:
        return stand_ins.uuid(str(uuids.UUID(text)))
    except ValueError:
        stand_ins.remove("values in domain XML")
        return "redacted"


def _count(element: ElementTree.Element, name: str, stand_ins: StandIns) -> None:
    secret = _local(element) in known.SECRET_ELEMENTS or known.SECRET.search(name)
    serial = name in ("serial", "wwn") or element.get("name") in ("serial", "asset", "uuid")
    kind = "passwords and secrets" if secret else "serial numbers" if serial else None
    stand_ins.remove(kind or "values in domain XML")


# --- secrets only -------------------------------------------------------------


def _strip(element: ElementTree.Element, stand_ins: StandIns) -> None:
    """Remove values that are, or may contain, a password, a secret or a key."""
    for child in element.iter():
        tag = _local(child)
        named = child.get("name", "")
        holds = tag in known.SECRET_ELEMENTS or known.SECRET.search(named) is not None
        if (holds or tag in ("env", "entry")) and (child.text or "").strip():
            child.text = _REMOVED
            stand_ins.remove("passwords and secrets")
        for name, value in child.attrib.items():
            secret = known.SECRET.search(name) or (holds and name in ("value", "data"))
            if value and (secret or (tag == "env" and name == "value")):
                child.attrib[name] = _REMOVED
                stand_ins.remove("passwords and secrets")
    for space in (QEMU, XEN):
        for line in element.iter(f"{space}commandline"):
            _redact_arguments(line, stand_ins, arguments_without_secrets)
    for holder in element.iter():
        for child in list(holder):
            if child.tag == "metadata":
                holder.remove(child)
                stand_ins.remove("elements of other programs")
