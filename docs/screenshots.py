"""Take the screenshots of the app for the documentation: `python -m docs.screenshots [artifacts]`.

Needs a finished default run, whose scenes are synthetic, and Chromium.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from docs.draw_scene import choose
from nephoscope.app.options import Bounds
from nephoscope.app.state import open_state
from nephoscope.artifacts import Artifacts
from tests.builders.app_server import running

IMAGES = Path(__file__).parent / "images"
JPEG_QUALITY = 80  # under 300 kB each


@dataclass(frozen=True)
class Shot:
    name: str
    scheme: Literal["light", "dark"]
    width: int
    height: int
    scale: int = 1
    with_list: bool = True
    """whether the holdout list is open"""


SHOTS = (
    Shot("app-light", "light", 1500, 1000),
    Shot("app-dark", "dark", 1500, 1000),
    Shot("app-phone", "light", 390, 844, scale=2, with_list=False),
)


def main(artifacts: Artifacts) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with running(open_state(None, "auto", Bounds(), run=artifacts.root)) as address:
            for shot in SHOTS:
                take_app(browser, f"{address}/#picture=run:{choose(artifacts)}", shot)


def take_app(browser: Browser, link: str, shot: Shot) -> None:
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height}, color_scheme=shot.scheme, device_scale_factor=shot.scale
    )
    page = context.new_page()
    page.goto(link)
    page.locator("#mean:not(:empty)").wait_for()
    if shot.with_list:
        page.get_by_role("button", name="Holdout").click()
        page.locator("#rows [aria-current]").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    save(page, shot.name)
    context.close()


def save(page: Page, name: str) -> None:
    image = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    path = IMAGES / f"{name}.jpg"
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Artifacts(Path(sys.argv[1])) if len(sys.argv) > 1 else Artifacts())
