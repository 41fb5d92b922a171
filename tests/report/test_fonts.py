"""Letters that the usual font lacks."""

import importlib
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font

from xaibench.report.pictures import fonts
from xaibench.report.pictures.drawing import new_axes, save_figure
from xaibench.report.pictures.fonts import FAMILY, complete_fonts, families_for
from xaibench.report.pictures.grid import GridRow, draw_grid

OTHER = "STIXGeneral"  # comes with matplotlib


def letters_of(family):
    return set(get_font(fontManager.findfont(family)).get_charmap())


@pytest.fixture(scope="module")
def letter():
    """One that the usual font lacks and another has."""
    return chr(min(letters_of(OTHER) - letters_of(FAMILY)))


def test_a_letter_is_drawn_by_a_family_that_has_it(letter):
    families = families_for(frozenset(letter))
    assert len(families) == 1
    assert ord(letter) in letters_of(families[0])
    figure = Figure()
    strange, usual = figure.text(0, 0, f"a{letter}"), figure.text(0, 0.5, "a ↑ é")
    before = usual.get_fontfamily()
    assert complete_fonts(figure)
    assert strange.get_fontfamily() == [FAMILY, *families]
    assert usual.get_fontfamily() == before


def test_a_letter_of_no_font_changes_nothing():
    figure = Figure()
    figure.text(0, 0, "\U000f1234")  # of a plane for private use
    assert not complete_fonts(figure)


def test_ticks_are_completed_and_no_letter_warns(letter, tmp_path):
    figure, axes = new_axes(2, 1)
    axes.bar([f"x{letter}", "良性\U000f1234"], [1, 2])
    with warnings.catch_warnings(record=True) as told:
        importlib.reload(fonts)  # sets its filter, which pytest puts back for each test
        save_figure(figure, tmp_path, "bars")
        image = np.zeros((8, 11, 3), np.uint8)
        draw_grid([GridRow("恶性\U000f1234", image, None, {})], tmp_path / "grid.png", "良性")
    assert not told
    assert families_for(frozenset(letter))[0] in (tmp_path / "bars.svg").read_text("utf-8")
