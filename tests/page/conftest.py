"""A real run with hostile names, and a real browser that looks at its page."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import xaibench
from xaibench.core.ultrasound import draw_lesion, draw_scan

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CLASSES = ("<script>alert(1)</script>", 'it\'s & "quoted"')
SHAPE, IMAGES = (72, 104), 24


def find_browser():
    """Return a Chromium's path, or None."""
    names = [os.environ.get("XAIBENCH_BROWSER", ""), *BROWSERS]
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """Return the folder of a run on non-square scans whose classes are named like markup."""
    place = tmp_path_factory.mktemp("hostile")
    rows = []
    for number in range(IMAGES):
        rng = np.random.default_rng(number)
        lesion = draw_lesion(SHAPE, number % 2 == 1, rng)
        Image.fromarray(draw_scan(lesion, rng)).save(place / f"{number} <b>.png")
        mask = number % 5 > 0  # some images have none
        if mask:
            region = lesion.region.astype(np.uint8) * 255
            Image.fromarray(region).save(place / f"{number}_mask.png")
        rows.append(
            (f"{number} <b>.png", CLASSES[number % 2], f"{number}_mask.png" if mask else "")
        )
    pd.DataFrame(rows, columns=["image", "label", "mask"]).to_csv(place / "all.csv", index=False)
    done = xaibench.run(
        dataset=f"folder[path={place / 'all.csv'}]", weights="none", image_size=48, epochs=2,
        models=["small_vgg[filters=4-4-6-6]", "saliency_net[backbone=squeezenet1_1,loss=dice]"],
        methods=["gradcam", "gradient", "spn"], mask_fraction=1.0, split="kfold:2",
        recipe="published",
        out=place / "<run>",
    )  # fmt: skip
    assert not done.failures
    return done.out


@pytest.fixture(scope="session")
def browser():
    """Return headless Chromium; without one the tests are skipped, in CI they fail."""
    path = find_browser()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: .ci/run installs it")
        pytest.skip("no Chromium here; apt-get install chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (comes with the test extras)

    with sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture
def look(browser):
    """Open a file as a reader does; a console error or a request that leaves the page fails."""
    opened = []

    def open_page(path: Path, **options):
        context = browser.new_context(**options)
        page = context.new_page()
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("console", lambda said: said.type == "error" and page.wrong.append(said.text))
        page.on("dialog", lambda dialog: (page.wrong.append(dialog.message), dialog.dismiss()))
        address = Path(path).resolve().as_uri()
        page.on(
            "request",
            lambda asked: (
                asked.url.split("#")[0] == address
                or asked.url.startswith(("data:", "blob:"))
                or page.wrong.append(asked.url)
            ),
        )
        page.goto(address)
        opened.append((context, page))
        return page

    yield open_page
    for context, page in opened:
        context.close()
        assert not page.wrong
