"""For all tests: hypothesis draws the same examples on every run of CI, and what is thorough
rather than needed waits for its flag."""

import os
import signal

import pytest
from hypothesis import settings

from tests import thorough

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_addoption(parser: pytest.Parser) -> None:
    thorough.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    thorough.add_marker(config)
    # A shell without job control has what it starts in the background ignore them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    thorough.leave_out(config, items)
