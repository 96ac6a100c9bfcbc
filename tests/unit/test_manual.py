"""The manual pages, the completions and the README: they cover all that the parser and the tables
have, and nothing else."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from manual import completions, pages
from manual.commands import options, subcommands, term, walk
from manual.roff import inline, page, plain
from tui import config
from tui.cli import exits
from tui.cli.arguments import make_parser
from tui.cli.families import FAMILIES
from tui.commands import AIMS, COMMANDS, REMAPPED
from tui.config import SETTINGS, Config
from tui.host.demo.host import SCENARIOS
from tui.keymap import written
from tui.model import Event
from tui.process.output import json_text
from tui.report.event import as_json

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

PARSER = make_parser(FAMILIES)
PROGRAM, FILE = pages.text("vfiotop.1"), pages.text("vfiotop.toml.5")
PAGES = pages.made("2026-01-02")


def section(text: str, name: str) -> str:
    """A section of a page, without its heading."""
    found = re.search(rf"^# {re.escape(name)}\n(.*?)(?=^# |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def terms(text: str) -> list[str]:
    """What is defined in a section."""
    return re.findall(r"^(.+)\n:   ", text, re.MULTILINE)


def invocations(text: str) -> Iterator[list[str]]:
    """The arguments of each ``vfiotop`` in examples and between backticks."""
    spans = re.findall(
        r"^ {4,}(?:sudo )?vfiotop (.*)$|`(?:sudo )?vfiotop ([^`]*)`", text, re.MULTILINE
    )
    for words in spans:
        yield shlex.split(re.split(r"[|>]", words[0] or words[1])[0])


def test_every_command_is_described() -> None:
    described = [line.split("`")[1] for line in terms(section(PROGRAM, "COMMANDS"))]
    assert described == list(subcommands(PARSER))


def test_every_option_is_described() -> None:
    described = terms(section(PROGRAM, "OPTIONS"))
    known = {term(option) for parser in walk(PARSER) for option in options(parser)}
    assert sorted(described) == sorted(known)


def test_every_argument_is_in_the_usage_of_its_command() -> None:
    usages = dict(line[1:].split("`", 1) for line in terms(section(PROGRAM, "COMMANDS")))
    common = {name for option in options(PARSER) for name in option.option_strings}
    for name, (command, _) in subcommands(PARSER).items():
        for parser in walk(command):
            for action in parser._actions:
                words = action.option_strings or [str(action.metavar or action.dest)]
                assert common & set(words) or words[-1].split("|")[0] in usages[name]


def test_every_key_is_described() -> None:
    keys = section(PROGRAM, "KEYS")
    assert re.findall(r"^## (.+)", keys, re.MULTILINE) == list(AIMS)
    for command in COMMANDS:
        assert f"\n:   {plain(command.help)}." in keys
    assert len(terms(keys)) == len(COMMANDS)
    for typed in ("`b`", "`/`", "`?`", "`esc`", "`1-5`", "`left`, `right`", "`q`, `ctrl+q`"):
        assert f"\n{typed}\n" in keys


def test_every_key_of_the_configuration_is_described() -> None:
    for table, heading in ((None, "KEYS"), ("watch", "THE TABLE [watch]")):
        found = [line.split("`")[1] for line in terms(section(FILE, heading))]
        assert found == [setting.name for setting in SETTINGS if setting.table == table]
    names = terms(section(FILE, "THE TABLE [keys]"))
    known = [f'`{c.id}` = `"{written(c.keys)}"`' for c in COMMANDS if c.id in REMAPPED]
    assert names == known


def configurations() -> list[Config]:
    """Each example in the page of the configuration, as it is loaded."""
    parts = re.split(r"\n(?=\S)", section(FILE, "EXAMPLES"))
    examples = ["\n".join(line[4:] for line in p.splitlines()[1:]) for p in parts]
    return [config.parse(tomllib.loads(text)) for text in examples if text.strip()]


def test_every_example_is_a_configuration() -> None:
    assert len(configurations()) == 6
    assert [c.after_stop for c in configurations()].count("unbind") == 1


STAND_IN = """#!/bin/sh
printf '%s\n' "${{0##*/}}" "$@" >>{log}
printf 'bus %s\n' "${{DBUS_SESSION_BUS_ADDRESS-none}}" >>{log}
[ "${{0##*/}}" = curl ] || exit 0
cat >>{log}; echo >>{log}
"""


@pytest.mark.skipif(not shutil.which("jq"), reason="there is no jq")
def test_every_program_in_an_example_gets_the_event(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for name in ("curl", "notify-send"):
        (tmp_path / name).write_text(STAND_IN.format(log=log))
        (tmp_path / name).chmod(0o755)
    event = Event(datetime(2026, 1, 2, tzinfo=UTC), "0000:01:00.0", "--“a” `b` $(c) 'd'", "warn")
    line = json_text(as_json(event, "tower")) + "\n"
    path = f"{tmp_path}:{os.environ['PATH']}"
    programs = [c.on_event for c in configurations() if c.on_event]
    for words in programs:
        log.write_text("")
        program = str(words[0]).replace("/usr/bin/curl", str(tmp_path / "curl"))
        subprocess.run(
            [program, *words[1:]], input=line, text=True, check=True, env={"PATH": path}, timeout=60
        )
        told = log.read_text()
        assert event.text in told
        if "notify-send" in told:
            assert f"\n--\n{event.subject}\n{event.text}\n" in told
            assert f"bus unix:path=/run/user/{os.getuid()}/bus\n" in told
        else:
            assert "\nhttps://" in told
    assert len(programs) == 3


def test_every_exit_code_is_described() -> None:
    codes = {exits.DONE, exits.FAILED, exits.USAGE, exits.STUCK}
    assert {int(line.strip("`")) for line in terms(section(PROGRAM, "EXIT STATUS"))} == codes


def test_every_variable_means_something_to_the_program() -> None:
    program = "".join(file.read_text() for file in (ROOT / "tui").rglob("*.py"))
    variables = re.findall(r"`(\w+)`", "".join(terms(section(PROGRAM, "ENVIRONMENT"))))
    assert "VFIOTOP_DEBUG" in variables
    # By its name, or as Textual has read it.
    known = set(re.findall(r'"(\w+)"|constants\.(\w+)', program))
    assert set(variables) <= {name for pair in known for name in pair}


@pytest.mark.parametrize("text", [PROGRAM, FILE, README], ids=["vfiotop", "file", "README"])
def test_no_option_is_unknown(text: str) -> None:
    known = {n for parser in walk(PARSER) for o in options(parser) for n in o.option_strings}
    known.add("--now")  # systemctl's
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)) <= known


def test_what_it_tells_to_type_is_understood() -> None:
    typed = [*invocations(PROGRAM), *invocations(FILE), *invocations(README)]
    assert ["plan", "bind"] in typed and ["capture"] in typed
    for words in typed:
        PARSER.parse_args(words)


@pytest.mark.parametrize("name", sorted(PAGES))
@pytest.mark.parametrize(
    "command",
    [("groff", "-ww", "-man", "-Tascii"), ("groff", "-ww", "-man", "-Tutf8"),
     ("man", "--warnings", "-E", "UTF-8", "-l"), ("mandoc", "-T", "lint", "-W", "warning")],
    ids=lambda command: command[0] + command[-1],
)  # fmt: skip
def test_a_page_is_formatted_without_a_warning(
    tmp_path: Path, name: str, command: Sequence[str]
) -> None:
    (tmp_path / name).write_text(PAGES[name])
    done = subprocess.run(
        [*command, tmp_path / name], capture_output=True, text=True, check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    lines = [done.stderr] if command[0] != "mandoc" else [done.stdout, done.stderr]
    assert (done.returncode, "".join(lines)) == (0, "")


def test_pages_are_ascii_and_have_their_date() -> None:
    for text in PAGES.values():
        assert text.isascii()
        assert re.search(r'^\.TH VFIOTOP\S* [15] 2026-01-02 "vfiotop ', text, re.MULTILINE)


@pytest.mark.parametrize(
    ("line", "roff"),
    [
        ("`--yes` and *ADDR*", r"\fB\-\-yes\fR and \fIADDR\fR"),
        (plain("domains/*.xml and *.img in C:\\ or `a*`"),
         r"domains/*.xml and *.img in C:\e or \fBa*\fR"),
        ("it's `'`", r"it's \fB\(aq\fR"),
        ("“–” ~^", r"\(lq\(en\(rq \(ti\(ha"),
        ("←é", r"\(<-\[u00E9]"),
    ],
)  # fmt: skip
def test_prose_in_roff(line: str, roff: str) -> None:
    assert inline(line) == roff


@pytest.mark.parametrize("line", [".so /etc/passwd", "'x"])
def test_text_is_no_request(line: str) -> None:
    text = f"# NAME\n\n{line}\n\n{line}\n:   {line}\n\nExample:\n\n    {line}\n"
    body = page("x", 1, "2026-01-02", "0", text).partition(".SH")[2]
    requests = re.findall(r"^[.'](\S*)", body, re.MULTILINE)
    assert requests == ["TP", "PP", "PP", "RS", "nf", "fi", "RE"]


def test_a_heading_with_more_below_it_is_refused() -> None:
    with pytest.raises(ValueError, match="not a heading"):
        page("x", 1, "2026-01-02", "0", "# NAME\ntext")


def test_a_note_for_no_command_is_refused() -> None:
    from manual.commands import commands

    with pytest.raises(ValueError, match="no command: fly"):
        commands(PARSER, {"fly": "text"})


def test_all_is_written_below_one_folder(tmp_path: Path) -> None:
    from manual.__main__ import main

    main(tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == [
        "completions/bash/vfiotop", "completions/fish/vfiotop.fish", "completions/zsh/_vfiotop",
        "man/vfiotop.1", "man/vfiotop.toml.5",
    ]  # fmt: skip


def test_the_date_of_a_package_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from manual.__main__ import main

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    main(tmp_path)
    assert " 1970-01-02 " in (tmp_path / "man/vfiotop.1").read_text()


def run_shell(tmp_path: Path, shell: str, script: str) -> str:
    """What a shell prints that has loaded its completions."""
    file = tmp_path / completions.FILES[shell]
    file.write_text(completions.made()[shell])
    plain_start = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *plain_start, "-c", script.format(file=file)], capture_output=True, text=True,
        check=True, timeout=60, cwd=tmp_path, env=os.environ | {"HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


BASH = """
source {file}
complete_words() {{
  COMP_WORDS=(vfiotop "$@"); COMP_CWORD=$#; COMPREPLY=()
  COMP_LINE="vfiotop $*"; COMP_POINT=${{#COMP_LINE}}
  _shtab_vfiotop 2>/dev/null; echo "${{COMPREPLY[@]}}"
}}
"""


def test_a_parser_made_after_the_completions_knows_nothing_of_them() -> None:
    completions.made()
    for each in walk(make_parser(FAMILIES)):
        assert [a.dest for a in each._actions if a.dest == "demo" and a.choices is not None] == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("''", set(subcommands(PARSER))),
        ("plan ''", {"bind", "unbind"}),
        ("bind --d", {"--demo", "--demo-if-no-gpu", "--dry-run", "--despite-doubts"}),
        ("--demo ''", {*SCENARIOS, "list"}),
        ("--config a", {"a.toml"}),
    ],
)
def test_bash_completes(tmp_path: Path, words: str, wanted: set[str]) -> None:
    (tmp_path / "a.toml").touch()
    assert set(run_shell(tmp_path, "bash", BASH + f"complete_words {words}").split()) >= wanted


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("vfiotop ", set(subcommands(PARSER))), ("vfiotop plan ", {"bind", "unbind"}),
     ("vfiotop --demo ", {*SCENARIOS, "list"})],
)  # fmt: skip
def test_fish_completes(tmp_path: Path, line: str, wanted: set[str]) -> None:
    printed = run_shell(tmp_path, "fish", f"source {{file}}; complete -C '{line}'")
    assert {row.split("\t")[0] for row in printed.splitlines()} >= wanted


def test_zsh_loads_it(tmp_path: Path) -> None:
    script = (
        "fpath=({file.parent} $fpath); autoload -Uz compinit; compinit -D -u;"
        "autoload +X -Uz _vfiotop; print $_comps[vfiotop]"
    )
    assert run_shell(tmp_path, "zsh", script).strip() == "_vfiotop"
