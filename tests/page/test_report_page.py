import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

sys.path.append(str(Path(__file__).parents[1] / "report"))
from frames import NAN, metric, predicted, rows_of, run_of, save

from xaibench.report.facts.material import read_material
from xaibench.report.judging.chapter import judge_all
from xaibench.report.page.page import write_page
from xaibench.report.pictures.drawing import save_figure
from xaibench.report.pictures.figures import Drawn

MARKUP = "<script>alert(1)</script>"
MEANING = {"measures": 'Overlap, "plainly" <said>.', "direction": "higher is better"}


def written(source, out, figures=()):
    write_page(judge_all(read_material(source), source), figures, None, out)
    return out / "report.html"


def spread(mean):
    return mean + np.linspace(-0.08, 0.08, 20)[np.random.default_rng(3).permutation(20)]


@pytest.fixture(scope="module")
def hostile(finished_run, tmp_path_factory):
    """Return the page of a real run, with a figure whose words are markup."""
    out = tmp_path_factory.mktemp("hostile_page")
    figures = []
    for name, chapter, subject in (("ranks", 0, "ranks"), ("twin", 0, "ranks"),
                                   ("curves", None, "training")):  # fmt: skip
        figure = Figure(figsize=(3, 2))
        figure.subplots().plot([1, 2], label=MARKUP)
        figure.legend()
        save_figure(figure, out / "figures", name)
        figures.append(Drawn(name, f"title {MARKUP}", f'"{name}" {MARKUP}', chapter, subject))
    return written(finished_run, out, figures)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the page of rows made by hand: two models, each kind of row, one without a value."""
    folder = tmp_path_factory.mktemp("made")
    rows = [
        *rows_of("gradcam", "iou", spread(0.5)),
        *rows_of("hirescam", "iou", [NAN] * 20),
        *rows_of("rise[a=x|y]", "iou", spread(0.09)),
        *rows_of("spn", "iou", spread(0.6), model="vgg16"),
        *rows_of("gradcam", "iou", spread(0.105), model="vgg16"),
        *rows_of("center", "iou", spread(0.2)),
        *rows_of("center", "iou", spread(0.2), model="vgg16"),
        *rows_of("oracle", "iou", np.ones(20)),
    ]
    iou = metric() | {"definition": MEANING}
    run = run_of(metrics={"iou": iou}, warnings=["odd & <i>old</i>"],
                 skipped=[{"what": "spn on x", "reason": "no saliency"}])  # fmt: skip
    return written(save(folder, run, rows), folder)


def methods(page, body=0):
    """The rows that are shown in one body of the first board, in their order."""
    bodies = page.locator("table.board").first.locator("tbody:not(.lead)")
    rows = bodies.nth(body).locator("tr:visible")
    return rows.evaluate_all("all => all.map(row => `${row.dataset.method} ${row.dataset.model}`)")


RISING = ["rise[a=x|y] resnet18", "gradcam vgg16", "gradcam resnet18", "spn vgg16",
          "hirescam resnet18"]  # fmt: skip
FALLING = [*RISING[3::-1], RISING[4]]


def test_a_metric_sorts_by_value_and_what_is_undefined_stands_last_both_ways(look, made):
    page = look(made)
    button = page.get_by_role("button", name="iou ↑", exact=True)
    head = page.locator("th", has=button)
    assert head.get_attribute("aria-sort") == "descending"  # the best first, as it is written
    assert methods(page) == FALLING
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert methods(page) == RISING
    assert methods(page, 1) == ["center ", "oracle resnet18"]
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    assert methods(page) == FALLING
    assert methods(page, 1) == ["oracle resnet18", "center "]


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_sorts_as_the_mouse_does(look, made, key):
    page = look(made)
    page.get_by_role("button", name="iou ↑", exact=True).focus()
    page.keyboard.press(key)
    assert methods(page) == RISING
    page.get_by_role("button", name="model").first.focus()
    page.keyboard.press(key)
    assert page.locator("table.board th[aria-sort]").count() == 1
    assert [name.split()[1] for name in methods(page)] == ["resnet18"] * 3 + ["vgg16"] * 2


def test_filters_hide_rows_and_count_what_is_left(look, made):
    page = look(made)
    form, count = page.locator("form.filters"), page.locator("form.filters output")
    assert count.inner_text() == "Localization: 7 of 7 rows"
    form.get_by_label("Filter").fill("GRAD vgg")
    assert methods(page) == ["gradcam vgg16"]
    assert count.inner_text() == "Localization: 1 of 7 rows"
    form.get_by_label("Filter").fill("")
    form.get_by_label("Model").select_option("vgg16")
    assert sorted(methods(page)) == ["gradcam vgg16", "spn vgg16"]
    assert methods(page, 1) == ["center "]  # the same beside every model
    form.get_by_label("controls").uncheck()
    form.get_by_label("learned").uncheck()
    assert methods(page) == ["gradcam vgg16"]
    assert methods(page, 1) == []
    assert count.inner_text() == "Localization: 1 of 7 rows"


def test_a_letter_shows_who_shares_it(look, made):
    page = look(made)
    shared = page.locator("tr.shared")
    assert shared.count() == 0
    letter = page.get_by_role("button", name="group b")
    letter.focus()
    assert shared.evaluate_all("rows => rows.map(row => row.dataset.method)") == ["gradcam"]
    letter.click()
    page.mouse.move(0, 0)
    page.get_by_label("Filter").focus()
    assert letter.get_attribute("aria-pressed") == "true"
    assert shared.count() == 1
    letter.click()
    page.mouse.move(0, 0)
    page.get_by_label("Filter").focus()
    assert shared.count() == 0


def test_metrics_lead_to_their_meaning_and_words_of_the_run_are_text(look, made):
    page = look(made)
    link = page.get_by_role("link", name="what iou means")
    head = page.locator("th", has=link)
    assert head.get_attribute("title").startswith('Overlap, "plainly" <said>. higher is better')
    link.click()
    assert page.url.endswith("#metric-iou")
    assert page.locator("#metric-iou").inner_text() == "iou"
    assert page.get_by_text("odd & <i>old</i>").count() == 1
    assert page.get_by_text("spn on x: no saliency").count() == 1
    assert page.get_by_text("20 undefined").count() == 1


def test_a_real_run_shows_markup_in_names_as_text(look, hostile):
    page = look(hostile)
    assert page.locator("dd", has_text=MARKUP).count() == 1
    # Two scripts of the page itself, and nothing else.
    assert page.locator("script").count() == 2
    assert page.locator("figcaption", has_text=MARKUP).count() == 3
    assert page.get_by_role("heading", level=1).inner_text() == "all.csv"
    assert page.locator("p.date").inner_text().partition(", ")[2].startswith("folder[path=")
    command = page.locator("#command").inner_text()
    assert command.startswith("xaibench.run(dataset='folder[path=")
    assert "/<run>'" in command
    values = page.locator("#undefined tbody tr", has_text="iou")
    assert int(values.first.locator("td").nth(2).text_content()) > 0


def test_every_link_has_its_target_every_id_is_unique_and_figures_have_words(look, hostile):
    page = look(hostile)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))
    used = page.evaluate(
        "[...document.querySelectorAll('*')].flatMap(each => [...each.attributes])"
        ".filter(each => ['href', 'xlink:href', 'aria-labelledby'].includes(each.name))"
        ".map(each => each.name === 'aria-labelledby' ? '#' + each.value : each.value)"
    )
    inside = {link[1:] for link in used if link.startswith("#")}
    assert len(inside) > 12
    assert inside <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page.content())) <= set(ids)
    drawings = page.locator("figure [role=img]")
    words = drawings.evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")
    assert words == [f'"{name}" {MARKUP}' for name in ("ranks", "twin", "curves")]
    assert drawings.locator("svg text, svg path").count() > 6
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_is_short_before_anything_is_opened(look, hostile, width):
    page = look(hostile, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollHeight") < 6000


def test_paper_gets_tables_without_controls(look, hostile):
    page = look(hostile, color_scheme="dark")
    assert page.locator("form.filters").is_visible()
    page.emulate_media(media="print")
    for gone in ("form.filters", "nav", "button.theme", "button.copy", ".what", ".groups"):
        assert not page.locator(gone).first.is_visible(), gone
    assert page.locator("table.board th .sort").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def test_dark_follows_the_system_and_the_button_has_the_last_word(look, made):
    def brightness(page):
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", color)))

    assert brightness(look(made, color_scheme="light")) > 700
    page = look(made, color_scheme="dark")
    assert brightness(page) < 100
    page.get_by_role("button", name="Light").click()
    assert brightness(page) > 700
    page.reload()
    assert brightness(page) > 700
    page.get_by_role("button", name="Dark").click()
    assert brightness(page) < 100


def test_the_page_is_whole_without_script_and_fits_a_telephone(look, made):
    page = look(made, java_script_enabled=False, viewport={"width": 360, "height": 640})
    assert page.get_by_role("cell", name="0.500").first.is_visible()
    assert not page.locator("form.filters").is_visible()
    page = look(made, viewport={"width": 360, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("tbody th .under").first.inner_text() == "VGG-16\nvgg16"
    assert not page.locator("td.model").first.is_visible()


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        (rows_of("gradcam", "iou", [0.5]), {}),
        (rows_of("center", "iou", [0.5, 0.25]), {}),
        (rows_of("gradcam", "drop", [NAN, NAN]), {}),
        (rows_of("spn", "iou", spread(0.5)) + rows_of("gradcam", "iou", spread(0.5), dataset="cub"),
         {"datasets": {name: {"classes": ["a", "b"], "mask_fraction": 1, "splits": {}}
                       for name in ("busi", "cub")}}),
    ],
    ids=["one row", "controls alone", "nothing defined", "two datasets"],
)  # fmt: skip
def test_any_run_has_a_page(tmp_path, rows, changes):
    text = written(save(tmp_path, run_of(**changes), rows), tmp_path).read_text("utf-8")
    anchors = re.findall(r'<section id="([^"]+)"', text)
    assert anchors[:2] == ["summary", "boards"]
    assert re.findall(r'<li><a href="#([^"]+)"', text) == anchors
    shown = [text.count(f"<h3>{name}, holdout</h3>") for name in ("Caltech-UCSD Birds", "BUSI")]
    assert shown[0] == ("datasets" in changes) * shown[1]


def test_a_run_that_only_analyses_has_a_page_without_boards(tmp_path):
    run = run_of(methods={}, metrics={})
    empty = rows_of("gradcam", "iou", [0.5])[:0]
    folder = save(tmp_path, run, empty, predicted([0, 1], [0, 1]))
    (folder / "scores.csv").write_text(
        "dataset,split,fold,model,seed,method,sample,metric,value,status\n"
    )
    text = written(folder, tmp_path).read_text("utf-8")
    assert "classification" in re.findall(r'<section id="([^"]+)"', text)
    assert '<table class="board' not in text


def test_markup_that_slipped_in_could_not_run(look, made, tmp_path):
    run = "document.title = 'run'"
    smuggled = (
        f'<script>{run}</script><img src="data:," onerror="{run}"><a href="javascript:{run}">go</a>'
        f'<svg onload="{run}"></svg>'
    )
    path = tmp_path / "report.html"
    path.write_text(made.read_text("utf-8").replace("</header>", f"{smuggled}</header>"), "utf-8")
    page = look(path)
    page.get_by_role("link", name="go", exact=True).click()
    page.get_by_role("button", name="iou ↑", exact=True).click()
    assert page.locator("th[aria-sort]").count() == 1  # the page's own scripts do
    assert page.title() == "BUSI: saliency report"
    assert len(page.wrong) == 4
    assert all("Content Security Policy" in refused for refused in page.wrong)
    page.wrong.clear()


@pytest.mark.slow
def test_the_page_asks_nothing_of_the_net(made, hostile):
    for path in (made, hostile):
        text = path.read_text("utf-8")
        assert "default-src 'none'" in text
        addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
        assert {address for address in addresses if "www.w3.org" not in address} == set()
