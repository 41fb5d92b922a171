"""The numbers on the maps of the picture grid."""

from dataclasses import replace

import pandas as pd
from frames import RUN, predicted, rows_of

from xaibench.report.facts.material import Material
from xaibench.report.facts.units import units_of_scores
from xaibench.report.pictures.gallery import _few_of_each_class, _scores, numbered


def test_numbers_are_of_the_first_localization_metric():
    assert numbered(RUN) == "; numbers: iou"


def test_each_map_has_the_score_of_the_class_that_it_explains():
    several = replace(RUN, several_labels=True, classes=("benign", "malignant"))
    scores = rows_of("gradcam", "iou", [0.1, 0.2, 0.3, 0.4])
    for row, (sample, target) in zip(
        scores, [("a", "benign"), ("a", "malignant"), ("b", "malignant"), ("c", "malignant")],
        strict=True,
    ):  # fmt: skip
        row |= {"sample": sample, "target": target}
    units = units_of_scores(pd.DataFrame(scores))
    names = [f"{image} [{name}]" for name in several.classes for image in "abc"]
    table = predicted([0] * 3 + [1] * 3, [0, -1, 0, 1, 1, 1]).assign(sample=names)
    table["shown"] = [1, 1, 1, 0, 1, 1]  # benign was explained in the first image alone
    material = Material.of(several, units, table)
    chosen = _few_of_each_class(table, material)["sample"]
    # Those that show the class are first.
    assert list(chosen) == ["a [benign]", "b [malignant]", "c [malignant]", "a [malignant]"]
    found = {key[-1]: value for key, value in _scores(material, chosen).items()}
    assert found == {
        "a [benign]": 0.1, "a [malignant]": 0.2, "b [malignant]": 0.3, "c [malignant]": 0.4,
    }  # fmt: skip
