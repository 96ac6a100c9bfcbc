"""Test cases that another case stands for: they run only with ``--thorough``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def thorough(*cases: Any) -> list[Any]:
    """Mark cases for ``parametrize``: ``[one, *thorough(another, third)]``.

    A tuple is the arguments of one case.
    """
    return [_case(case, pytest.mark.thorough) for case in cases]


def every_third(cases: Iterable[Any]) -> list[Any]:
    """Mark two of three cases for ``parametrize``."""
    return [_case(case, *([pytest.mark.thorough] if n % 3 else [])) for n, case in enumerate(cases)]


def _case(case: Any, *marks: pytest.MarkDecorator) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=marks)


# --- for a conftest ---------------------------------------------------------------


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="run every case of a kind, every kill of a swap, and all examples of a property",
    )


def add_marker(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "thorough: run with --thorough only")


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect thorough tests unless ``--thorough`` is given."""
    if not config.getoption("--thorough"):
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
