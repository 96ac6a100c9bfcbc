"""What the parser knows, as text for a manual page."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Sequence

from manual.roff import INDENT, plain

Parser = argparse.ArgumentParser
Action = argparse.Action


def subcommands(parser: Parser) -> dict[str, tuple[Parser, str]]:
    """The commands of a parser by name, each with its own parser and its help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            texts = {choice.dest: choice.help or "" for choice in action._choices_actions}
            return {name: (each, texts[name]) for name, each in action.choices.items()}
    return {}


def options(parser: Parser) -> list[Action]:
    """The options of a parser, without those of its commands."""
    return [action for action in parser._actions if action.option_strings]


def walk(parser: Parser) -> Iterator[Parser]:
    """A parser and those of all commands below it."""
    yield parser
    for each, _ in subcommands(parser).values():
        yield from walk(each)


def commands(parser: Parser, notes: dict[str, str]) -> str:
    """A definition for each command: its usage, its help, and a note from the page's source. Raises
    ``ValueError`` for a note without a command."""
    known = subcommands(parser)
    if not set(notes) <= set(known):
        raise ValueError(f"a note for no command: {', '.join(sorted(set(notes) - set(known)))}")
    common = _names(parser)
    entries = []
    for name, (command, text) in known.items():
        entry = f"{usage(name, command, common)}\n:   {sentence(text)}"
        if name in notes:
            entry += "\n\n" + textwrap.indent(notes[name].strip("\n"), INDENT)
        entries.append(entry)
    return "\n\n".join(entries)


def usage(name: str, command: Parser, common: set[str]) -> str:
    """A command with its arguments and its own options: ``bind [ADDR] [--yes]``."""
    words = [f"`{name}`", "|".join(f"`{each}`" for each in subcommands(command))]
    shown: dict[str, str] = {}
    for parser in walk(command):
        for action in _arguments(parser):
            if common.isdisjoint(action.option_strings):
                ways = _ways(parser, action)
                text = "|".join(term(way, short=True) for way in ways)
                optional = action.option_strings or action.nargs == "?"
                shown.setdefault(ways[0].dest, f"[{text}]" if optional else text)
    options_last = sorted(shown.values(), key=lambda text: "`" in text)
    return " ".join(filter(None, [*words, *options_last]))


def _arguments(parser: Parser) -> list[Action]:
    """The options and arguments of a parser, without its commands."""
    return [a for a in parser._actions if not isinstance(a, argparse._SubParsersAction)]


def _ways(parser: Parser, action: Action) -> list[Action]:
    """An argument and those it is mutually exclusive with."""
    groups = [group._group_actions for group in parser._mutually_exclusive_groups]
    return next((group for group in groups if action in group), [action])


def common_options(parser: Parser) -> str:
    """A definition for each option that may stand before or after a command."""
    return "\n\n".join(_entry(option) for option in options(parser))


def own_options(parser: Parser) -> str:
    """A definition for each option of a command, with the commands that take it."""
    common, found = _names(parser), dict[tuple[str, str], list[str]]()
    for name, (command, _) in subcommands(parser).items():
        for each in walk(command):
            for option in options(each):
                if common.isdisjoint(option.option_strings):
                    takers = found.setdefault((term(option), option.help or ""), [])
                    if name not in takers:
                        takers.append(name)
    return "\n\n".join(
        f"{shown}\n:   {sentence(text)} For {_listed([f'`{name}`' for name in takers])}."
        for (shown, text), takers in found.items()
    )


def term(action: Action, *, short: bool = False) -> str:
    """An option with its value, or the name of an argument."""
    value = f"*{action.metavar or action.dest}*"
    if not action.option_strings:
        return value
    names = action.option_strings[-1:] if short else action.option_strings
    shown = ", ".join(f"`{name}`" for name in names)
    if action.nargs == 0:
        return shown
    return f"{shown} [{value}]" if action.nargs == "?" else f"{shown} {value}"


def sentence(text: str) -> str:
    """A help text as a sentence."""
    return f"{text[:1].upper()}{plain(text[1:])}."


def _entry(option: Action) -> str:
    return f"{term(option)}\n:   {sentence(option.help or '')}"


def _names(parser: Parser) -> set[str]:
    return {name for option in options(parser) for name in option.option_strings}


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
