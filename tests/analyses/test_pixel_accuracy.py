import numpy as np
import pytest

from xaibench.analyses.pixel_accuracy import pixel_accuracy

# Rows are true classes: background, one, two (which neither is there nor is predicted).
CONFUSION = np.array([
    [[6, 2, 0], [1, 3, 0], [0, 0, 0]],
    [[9, 1, 0], [2, 0, 0], [0, 0, 0]],
    [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
])  # fmt: skip


def test_counts_of_all_annotated_images_together_by_hand():
    found = pixel_accuracy(CONFUSION, ("one", "two")).quantities
    means = {name: np.nanmean(value) for name, value in found.items() if "two" not in name}
    assert means["pixel_accuracy"] == pytest.approx(18 / 24)
    assert means["iou[background]"] == pytest.approx(15 / 21)
    assert means["iou[one]"] == pytest.approx(3 / 9)
    assert means["mean_iou"] == pytest.approx((15 / 21 + 3 / 9) / 2)
    assert np.isnan(found["iou[two]"]).all()
    assert np.isnan(found["pixel_accuracy"]).tolist() == [False, False, True]


def test_the_table_has_true_classes_in_rows():
    table = pixel_accuracy(CONFUSION, ("one", "two")).tables["confusion"].set_index("true_class")
    assert table.loc["one"].tolist() == [3, 3, 0]
    assert table.loc["background", "one"] == 3


def test_without_any_mask_nothing_is_known():
    found = pixel_accuracy(CONFUSION[2:], ("one", "two")).quantities
    assert all(np.isnan(value).all() for value in found.values())
