"""What every test may use: the development footage, a tiny real detector, and films of figures whose truth is exact."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # `tests/support` is imported by name

collect_ignore = ["rtsp_server", "support"]  # programs and helpers, not tests

from support.served import FOOTAGE_DIR  # noqa: E402  as said


def pytest_report_header() -> str:
    if FOOTAGE_DIR.is_dir():
        return f"footage: {FOOTAGE_DIR}"
    return f"footage: ABSENT ({FOOTAGE_DIR} is no folder; set FOOTFALL_TEST_DATA): tests marked `footage` will not run"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if FOOTAGE_DIR.is_dir():
        return
    reason = f"development footage absent: {FOOTAGE_DIR}"
    for item in items:
        if item.get_closest_marker("footage"):
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not FOOTAGE_DIR.is_dir():
        terminalreporter.write_line(
            "NOT RUN: every test marked `footage`; the figures on real footage are unproven in this run", red=True
        )


PRINT_OPTIONS = np.get_printoptions()


@pytest.fixture(autouse=True)
def numpy_prints_as_it_ships() -> Iterator[None]:
    """Importing Ultralytics changes how NumPy prints, for the whole process; doctests must read the same after it."""
    with np.printoptions(**PRINT_OPTIONS):
        yield


@pytest.fixture(scope="session")
def footage() -> Path:
    """Folder of the development footage."""
    assert FOOTAGE_DIR.is_dir(), f"development footage absent: {FOOTAGE_DIR}"
    return FOOTAGE_DIR


@pytest.fixture(scope="session")
def figure_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model folder of a tiny real ONNX detector that finds the figures of `support.figures`."""
    from support.figures import write_figure_model

    return write_figure_model(tmp_path_factory.mktemp("models") / "figures")


@pytest.fixture(autouse=True)
def _logs_of_their_own() -> Iterator[None]:
    """A command that ran in this process leaves logs that go to its own standard error, which is closed by now."""
    yield
    structlog.reset_defaults()
