"""A class of which no test image says whether it shows it."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from frames import RUN

from xaibench.report.judging.per_class import per_class_table


def test_a_class_of_which_nothing_is_known_has_no_rates():
    run = replace(RUN, classes=("dog", "cat"), several_labels=True)
    images = pd.DataFrame(
        {
            "dataset": "d", "split": "s", "fold": 0, "model": "m", "seed": 0, "sample": ["a", "b"],
            "label_0": [1, 0], "label_1": [-1, -1], "prediction_0": [1, 0], "prediction_1": [1, 1],
            "confidence_0": [0.9, 0.2], "confidence_1": [0.7, 0.6],
            "threshold_0": 0.5, "threshold_1": 0.5,
        }
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = per_class_table(images, run).set_index("class")
    assert table.loc["cat", ["n", "positives"]].tolist() == [0, 0]
    assert np.isnan(table.loc["cat", ["auroc", "auprc", "recall"]].to_numpy(float)).all()
    assert table.loc["macro", "auroc"] == table.loc["dog", "auroc"] == 1
