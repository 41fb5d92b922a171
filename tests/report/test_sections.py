"""Scores as aligned tables, from texts and from categories alike."""

import numpy as np
import pandas as pd
from frames import RUN, rows_of, save

from xaibench.report.facts.material import Material
from xaibench.report.facts.section import sections
from xaibench.results.tables import read_table

NAMES = ["b", "NA", "a,b", "007", 'a "b"', "é", "1"]


def test_categories_make_the_same_section_as_texts(tmp_path):
    # Seven images, of two seeds in two folds, which differ in order, and a row that lacks some.
    rows = [
        *rows_of("spn", "iou", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], seed=10),
        *rows_of("gradcam", "drop", [0.9, 0.8, float("nan")], seed=10, status="constant map"),
        *rows_of("gradcam", "iou", [0.3, 0.1, 0.2, 0.8], seed=2, model="vgg16", fold=1),
    ]
    scores = pd.DataFrame(rows).replace(
        {"sample": {f"s{at}": name for at, name in enumerate(NAMES)}}
    )
    path = save(tmp_path / "run", RUN, scores) / "scores.csv"
    (plain,) = sections(Material.of(RUN, read_table(path)))
    (compact,) = sections(Material.of(RUN, read_table(path, compact=True)))
    assert compact.rows == plain.rows
    assert [row.degenerate for row in compact.rows] == [0, 0, 3]
    pd.testing.assert_frame_equal(compact.units, plain.units)
    assert plain.units["sample"].tolist() == [*sorted(NAMES), *sorted(NAMES[:4])]
    for metric in ("iou", "drop"):
        np.testing.assert_array_equal(compact.values[metric], plain.values[metric])
        np.testing.assert_array_equal(compact.present[metric], plain.present[metric])
    for one, other in zip(compact.clusters, plain.clusters, strict=True):
        np.testing.assert_array_equal(one, other)
