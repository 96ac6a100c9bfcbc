"""Boot files and modprobe.d, word by word: what is known to be harmless stays, all else goes.

Spaces, quotes and line numbers stay, so that a loaded capture names the same lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from tui.host.capture.known import (
    BOOT_VARIABLES,
    BOOT_WORDS,
    MODULES,
    ON_DEVICES,
    OPTIONS,
    SECRET,
)
from tui.host.capture.standins import StandIns
from tui.host.readiness.boot_files import left_open
from tui.host.readiness.initramfs import ASSIGNED, MENTIONED, span_of_words, without_comments

_WORD_OF_LIST = re.compile(r"\S+")
_VALUE = re.compile(r"[A-Za-z0-9_.,:;+*@%!=-]{0,200}")
_WORD = re.compile(r"""[^\s"'\\$#;(){}`|&<>]+""")
_PARAMETER = re.compile(r"[a-z0-9_]{0,60}")
_NUMBER = re.compile(r"[0-9]{1,3}")
_ASSIGNED = re.compile(r"(\s*(?:export\s+)?)([A-Za-z_][A-Za-z0-9_]*)(?:\[[^\]\"'$]*\])?(\+?=)")
_EXPORT = re.compile(r"\s*export\s+")
_REFERENCE = re.compile(r"(\$\{?)([A-Za-z_][A-Za-z0-9_]*)")
_GENERATION = re.compile(r"nixos-generation-[0-9]{1,9}(?:\.conf)?")
_MODULE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ORDER = ("pre:", "post:")
_RULES = ("blacklist", "install", "options", "softdep")


def boot_text(text: str, stand_ins: StandIns) -> str:
    """Redact a kernel command line, or a file that has some in any of the formats but shell."""
    return "\n".join(_boot_line(line, stand_ins) for line in text.split("\n"))


def shell_text(text: str, stand_ins: StandIns) -> str:
    """Redact a shell file that assigns kernel command lines to variables. An assignment may
    begin on a line that backslashes join to blank ones."""
    lines, within, begun = [], "", ""
    for line in text.split("\n"):
        begins = not begun.strip() or _EXPORT.fullmatch(begun) is not None
        lines.append(_boot_line(line, stand_ins, assigns=begins, inside=bool(within)))
        within = left_open(line, within)
        begun = begun + line.removesuffix("\\") if within else ""
    return "\n".join(lines)


def _boot_line(
    line: str, stand_ins: StandIns, *, assigns: bool = False, inside: bool = False
) -> str:
    """Redact a line; it is a comment only if it is not ``inside`` quotes, and may start with an
    assignment only if the language has some."""
    if not inside and line.lstrip().startswith("#"):
        return "#"
    start = ""
    assigned = _ASSIGNED.match(line) if assigns else None
    if assigned is not None:
        name = _variable(assigned[2], stand_ins)
        start, line = f"{assigned[1]}{name}{assigned[3]}", line[assigned.end() :]
    pieces = []
    at = 0
    for found in _REFERENCE.finditer(line):
        pieces.append(_WORD.sub(lambda word: _option(word[0], stand_ins), line[at : found.start()]))
        pieces.append(found[1] + _variable(found[2], stand_ins))
        at = found.end()
    pieces.append(_WORD.sub(lambda word: _option(word[0], stand_ins), line[at:]))
    return start + "".join(pieces)


def _variable(name: str, stand_ins: StandIns) -> str:
    return name if name in BOOT_VARIABLES else stand_ins.of("shell variables", name)


def _option(word: str, stand_ins: StandIns) -> str:
    """Redact one word: ``name``, or ``name=value``."""
    name, equals, value = word.partition("=")
    plain = name.replace("-", "_").lower()
    if not equals:
        known = word in BOOT_WORDS or word.rstrip(":").lower() in BOOT_WORDS or plain in OPTIONS
        if known or _GENERATION.fullmatch(word) or _is_module(plain):
            return stand_ins.name(word)
        return stand_ins.of("words of boot files", word)
    return (
        f"{name}={_value(name, value, stand_ins)}"
        if _is_option(name)
        else _replaced(word, stand_ins)
    )


def _is_option(name: str) -> bool:
    plain = name.replace("-", "_").lower()
    named = {"BOOT_IMAGE", "initrd", *BOOT_VARIABLES, *ON_DEVICES}
    return name in named or plain in OPTIONS or _is_module(plain)


def _value(name: str, value: str, stand_ins: StandIns) -> str:
    """Redact the value of a known option."""
    if not value:
        return ""
    if name in BOOT_VARIABLES:
        return _option(value, stand_ins)
    if name in ("BOOT_IMAGE", "initrd"):
        return "/vmlinuz"
    if name in ON_DEVICES:
        return _device(value, stand_ins)
    if _VALUE.fullmatch(value) and not SECRET.search(name):
        return stand_ins.text(value)
    return stand_ins.of("boot option values", value)


def _device(value: str, stand_ins: StandIns) -> str:
    """Redact ``UUID=…:name:options``: only the device is kept in some form."""
    device, colon, _ = value.partition(":")
    return stand_ins.device(device) + (":redacted" if colon else "")


def _is_module(name: str) -> bool:
    """Whether a word is a module that matters for passthrough, or a parameter of one."""
    module, _, parameter = name.partition(".")
    return MODULES.fullmatch(module) is not None and _PARAMETER.fullmatch(parameter) is not None


# --- modprobe.d ---------------------------------------------------------------


def modprobe_text(text: str, stand_ins: StandIns) -> str:
    """Redact a file of modprobe.d: rules stay, with the parameters of known modules."""
    written, lines = text.split("\n"), []
    joined, rewrite = False, None
    for number, line in enumerate(written):
        if not joined:
            rewrite = _rule(_statement(written[number:]), stand_ins)
        lines.append(_WORD.sub(rewrite, line) if rewrite is not None else "#")
        joined = line.endswith("\\")
    return "\n".join(lines)


def _statement(lines: list[str]) -> str:
    """Return the first line with those that backslashes join to it."""
    whole = ""
    for line in lines:
        whole += line.removesuffix("\\")
        if not line.endswith("\\"):
            break
    return whole


def _rule(line: str, stand_ins: StandIns) -> Callable[[re.Match[str]], str] | None:
    """Return what rewrites the words of a rule; ``None`` for any other line."""
    words = line.split(maxsplit=2)
    if len(words) < 2 or words[0] not in _RULES or line.startswith("#"):
        return None
    directive, module = words[0], words[1]
    plain = module.replace("-", "_").lower()
    if directive == "softdep" and not _is_module(plain):
        return None
    left = [directive, module]

    def rewrite(found: re.Match[str]) -> str:
        word = found[0]
        if left and word == left[0]:
            del left[0]
            if word == directive:
                return word
            return stand_ins.name(word) if _MODULE.fullmatch(word) else _replaced(word, stand_ins)
        if directive == "softdep" and (word in _ORDER or _is_module(word.replace("-", "_"))):
            return word
        if directive == "install" and _NUMBER.fullmatch(word):
            return word
        if directive == "options" and MODULES.fullmatch(plain):
            name, equals, value = word.partition("=")
            harmless = _MODULE.fullmatch(name) and _VALUE.fullmatch(value)
            if harmless and not SECRET.search(name):
                return stand_ins.text(f"{name}{equals}{value}")
        return _option(word, stand_ins) if directive == "install" else _replaced(word, stand_ins)

    return rewrite


def _replaced(word: str, stand_ins: StandIns) -> str:
    name, equals, value = word.partition("=")
    if not equals:
        return stand_ins.of("words of boot files", word)
    stand_ins.of("boot option values", value)
    return f"{stand_ins.of('boot option names', name)}=redacted"


# --- what makes an initramfs --------------------------------------------------


def initramfs_text(text: str, stand_ins: StandIns) -> str:
    """Redact a shell file of mkinitcpio or dracut: lines that assign the variables that are read
    stay, with the words that count. One that is not plain is replaced by another such."""
    text = without_comments(text)
    pieces, at = [], 0
    for found in ASSIGNED.finditer(text):
        pieces.append(_unclear(text[at : found.start()]))
        start, end = span_of_words(found)
        told = partial(_word_of, found[1], stand_ins)
        words = _WORD_OF_LIST.sub(told, text[start:end])
        pieces.append(text[found.start() : start] + words + text[end : found.end()])
        at = found.end()
    return "".join(pieces) + _unclear(text[at:])


def _unclear(text: str) -> str:
    """Return blank lines for other text, with an assignment that is not plain if it has one."""
    mentioned = MENTIONED.search(text)
    return (f"{mentioned[1]}=$x" if mentioned else "") + "\n" * text.count("\n")


def _word_of(variable: str, stand_ins: StandIns, found: re.Match[str]) -> str:
    word = found[0]
    if variable == "HOOKS":
        return word if word == "modconf" else "hook"
    if variable == "FILES":
        return "/etc/modprobe.d/x.conf" if "/modprobe.d/" in word else "/file"
    return stand_ins.name(word) if _MODULE.fullmatch(word.removesuffix("?")) else "$x"


def module_list(text: str, stand_ins: StandIns) -> str:
    """Redact initramfs-tools' list of modules: one a line, with parameters as in modprobe.d."""
    return "\n".join(_module_line(line, stand_ins) for line in text.split("\n"))


def _module_line(line: str, stand_ins: StandIns) -> str:
    plain = line.partition("#")[0].strip()
    return modprobe_text(f"options {plain}", stand_ins).removeprefix("options ") if plain else ""


# --- secrets only -------------------------------------------------------------


def without_secrets(text: str, stand_ins: StandIns) -> str:
    """Remove from any text the values of words that look like names of secrets."""

    def rewrite(found: re.Match[str]) -> str:
        stand_ins.remove("passwords and secrets")
        return f"{found[1]}removed"

    return _SECRET_WORD.sub(rewrite, text)


_SECRET_WORD = re.compile(
    rf"""([^\s"'=]*(?:{SECRET.pattern})[^\s"'=]*=)(?:"[^"\n]*"|'[^'\n]*'|[^\s"',]+)""",
    re.IGNORECASE,
)
