"""A real browser for tests of pages. Without Chromium these tests are skipped; in CI they fail."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def find_chromium() -> str:
    """Chromium from the PATH. Without it the test is skipped, but in CI a skipped test would hide a broken page."""
    chromium = shutil.which("chromium")
    if chromium is None:
        message = "Chromium is not installed"
        if os.environ.get("CI"):
            pytest.fail(f"{message}; in CI (environment variable CI) tests of pages must run")
        pytest.skip(message)
    return chromium


@contextmanager
def open_browser() -> Iterator[Any]:
    """Chromium, driven by playwright."""
    chromium = find_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Any, path: Path, **settings: Any) -> Iterator[Any]:
    """Open a file offline. Console messages, page errors and network requests fail the test."""
    context = browser.new_context(offline=True, reduced_motion="reduce", **settings)
    page, problems = context.new_page(), []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    page.goto(path.as_uri())
    yield page
    context.close()
    assert problems == []
