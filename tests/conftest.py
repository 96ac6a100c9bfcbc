"""Settings for all tests; thorough ones need their flag."""

import gc
import os
import signal
from collections.abc import Generator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import thorough
from tests.examples import load_profile

HERE = Path(__file__).parent

WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

WITH_A_COMMAND = ("lab", "packages", "prometheus")
"""The folders whose tests have a command of their own."""

WAITING = ("libvirt", "bench", "attack", "ui")
"""The folders whose tests wait most: for libvirtd, for a slow link, for programs and for Textual's
pauses."""


os.environ["LANGUAGE"] = "C"
"""argparse looks up a translation of each title. Without this, the search for catalogues takes more
than half of the time in which the parser is made."""


def pytest_addoption(parser: pytest.Parser) -> None:
    thorough.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    thorough.add_marker(config)
    load_profile(thorough=config.getoption("--thorough"))
    # A shell without job control starts background jobs with SIGINT and SIGQUIT ignored, nohup with
    # SIGHUP ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect no garbage while pytest collects the tests. From then on, leave these thousands of
    objects out of it, and collect less often: it took a fifth of the time."""
    gc.disable()
    if session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        _import_share(WORKER, WORKERS)
        _prepare_hypothesis(characters=WORKER == 0)
    result = yield
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    gc.enable()
    return result


def _import_share(worker: int, workers: int) -> None:
    """Import this worker's share of the test modules. In a clean checkout pytest first rewrites the
    asserts of each module. Every worker needs all modules, so each worker rewrites different ones
    first."""
    found = sorted(HERE.rglob("test_*.py"))
    wanted = [each for each in found if each.relative_to(HERE).parts[0] not in WITH_A_COMMAND]
    for file in wanted[worker::workers]:
        with suppress(Exception, pytest.skip.Exception):  # collecting it will report it
            import_module(".".join(file.relative_to(HERE.parent).with_suffix("").parts))


def _prepare_hypothesis(*, characters: bool) -> None:
    """Draw an example. Hypothesis keeps the constants of the imported modules, and its table
    of characters, on disk. In a clean checkout each worker would find all of them at once."""

    @settings(max_examples=1, database=None)
    @given(st.characters(codec="utf-8") if characters else st.none())
    def draw(_: str | None) -> None:
        pass

    draw()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    thorough.leave_out(config, items)
    items[:] = _spread(items, WORKERS)


def _spread(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Put the tests that wait most at the beginning of different workers' shares, so that at any
    time some wait and some compute. xdist first gives each worker a contiguous share of equal
    length."""
    waiting: dict[str, list[pytest.Item]] = {name: [] for name in WAITING}
    others: list[pytest.Item] = []
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        waiting.get(folder, others).append(item)
    found: list[pytest.Item] = []
    for worker, run in enumerate(waiting.values(), 1):
        found += run
        missing = max(0, len(items) * worker // workers - len(found))
        found += others[:missing]
        del others[:missing]
    return found + others
