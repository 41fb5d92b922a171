"""A site in a real browser: filters, history, pictures, a telephone."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "report"))
from publications import MARKUP, published

from xaibench.report.site import build_site
from xaibench.report.site_pages import INDEX


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    published(place / "in" / "new", date="2026-03-04", mean=0.65)
    published(place / "in" / "old & <b>", name=MARKUP)
    build_site([place / "in"], place / "out")
    return place / "out"


def open_quietly(look, path, **options):
    """Open a page whose pictures are files beside it."""
    page = look(path, **options)
    inside = path.parent.parent.resolve().as_uri()
    page.wrong[:] = [said for said in page.wrong if not said.startswith(inside)]
    return page


def test_rows_of_a_dataset_are_filtered_by_supervision_and_sorted(look, site):
    page = look(site / "dataset-busi.html")
    shown = page.locator("tbody tr[data-kind]:visible")
    assert shown.count() == 3
    page.get_by_label("controls").uncheck()
    assert shown.count() == 2
    page.get_by_label("Filter").fill("gradcam")
    assert shown.evaluate_all("all => all.map(row => row.dataset.method)") == ["gradcam"]
    page.get_by_label("Filter").fill("")
    head = page.locator("th", has=page.get_by_role("button", name="iou ↑"))
    assert head.get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="iou ↑").click()
    first = shown.first.get_attribute("data-method")
    assert first == MARKUP  # 0.45, below 0.65
    assert page.title() == "BUSI: saliency boards"


def test_a_board_shows_its_pictures_and_fits_a_telephone(look, site):
    page = open_quietly(look, site / "old & <b>" / INDEX, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.documentElement.scrollHeight") < 6000
    assert page.locator("th .under").first.is_visible()
    assert not page.locator("td.model").first.is_visible()
    page.locator("summary", has_text="Figures").click()
    picture = page.locator("figure img")
    picture.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('figure img').naturalWidth === 40")
    assert page.locator("figcaption").inner_text() == "iou"
    page.wrong[:] = [said for said in page.wrong if not said.endswith((".png", ".jpg"))]
