"""How many examples Hypothesis draws: some each time, all with ``--thorough``."""

from __future__ import annotations

import os

from hypothesis import settings

QUICK = 30
"""Percent of a property's examples that are drawn without ``--thorough``."""


def load_profile(*, thorough: bool) -> None:
    """Set the default for properties that do not use ``examples``. In CI, Hypothesis draws the same
    examples in every run."""
    count = 100 if thorough else QUICK
    settings.register_profile("here", deadline=None, max_examples=count)
    settings.register_profile("ci", deadline=None, max_examples=count, derandomize=True)
    settings.load_profile("ci" if os.environ.get("CI") else "here")


def examples(count: int) -> settings:
    """Draw ``count`` examples of a property with ``--thorough``."""
    return settings(max_examples=count * settings().max_examples // 100)
