"""Completions for bash, zsh and fish, made from the parser by shtab.

Names of domains and addresses of cards are not completed. shtab's code for bash expands each
candidate (compgen -W), so the name of a domain could run a command; and bash and zsh split words at
the colons of an address.
"""

from __future__ import annotations

from pathlib import Path

import shtab

from manual.commands import walk
from tui.cli.arguments import make_parser
from tui.cli.families import FAMILIES
from tui.host.demo.host import SCENARIOS

FILES = {"bash": "vfiotop", "zsh": "_vfiotop", "fish": "vfiotop.fish"}
"""The file name under which each shell looks for the completion of a program."""


def made() -> dict[str, str]:
    """The completions by shell."""
    parser = make_parser(FAMILIES)
    for each in walk(parser):
        for action in each._actions:
            if action.dest == "demo":
                action.choices = [*SCENARIOS, "list"]
            elif action.type is Path or action.metavar == "FILE":
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks
    return {shell: shtab.complete(parser, shell) for shell in FILES}
