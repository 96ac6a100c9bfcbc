"""Members of a kind for which another one stands: run with ``--thorough`` only."""

from __future__ import annotations

from typing import Any

import pytest


def thorough(*cases: Any) -> list[Any]:
    """For ``parametrize``, after those that always run: ``[one, *thorough(another, third)]``. A
    tuple is the arguments of a case."""
    mark = pytest.mark.thorough
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=mark) for case in cases
    ]
