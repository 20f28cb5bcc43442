"""What tests of pages do again and again."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page


def wait_until(page: Page, condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Poll from here: the pages' policy forbids scripts from polling in the page."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        page.wait_for_timeout(50)


def shoot(page: Page, name: str) -> None:
    """Keep a picture of the page where FOOTFALL_TEST_SHOTS names a folder."""
    folder = os.environ.get("FOOTFALL_TEST_SHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")
