"""Settings for all tests: in CI, Hypothesis draws the same examples in every run; thorough tests
need their flag."""

import gc
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
    # A shell without job control starts background jobs with the first two ignored, nohup the last.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """Leave the thousands of collected tests out of every garbage collection, and collect less
    often: it took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    thorough.leave_out(config, items)
    # These wait for libvirtd most of the time: begun first, they leave the processors to others.
    items.sort(key=lambda item: item.path.parent.name != "libvirt" or "unit" in item.path.parts)
