"""Settings for all tests; thorough ones need their flag."""

import gc
import signal
from collections.abc import Generator

import pytest

from tests import thorough
from tests.examples import load_profile


def pytest_addoption(parser: pytest.Parser) -> None:
    thorough.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    thorough.add_marker(config)
    load_profile(thorough=config.getoption("--thorough"))
    # A shell without job control starts background jobs with the first two ignored, nohup the last.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage meanwhile, leave the thousands of tests out of it from then on, and
    collect it less often: it took a fifth of the time."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()
    return result


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    thorough.leave_out(config, items)
    # These wait for libvirtd most of the time: begun first, they leave the processors to others.
    items.sort(key=lambda item: item.path.parent.name != "libvirt" or "unit" in item.path.parts)
