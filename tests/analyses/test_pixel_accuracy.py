import numpy as np
import pytest

from xaibench.analyses import pixel_accuracy as module
from xaibench.core.errors import XaibenchError

# Rows are true classes: background, one, two (which neither is there nor is predicted).
CONFUSION = np.array([
    [[6, 2, 0], [1, 3, 0], [0, 0, 0]],
    [[9, 1, 0], [2, 0, 0], [0, 0, 0]],
    [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
])  # fmt: skip


# Of the images asked for: 2 x 3 pixels, the last of which isn't known in any.
IMAGES = np.arange(54, dtype=np.uint8).reshape(3, 2, 3, 3)
TRUTH = np.array([[[0, 1, 1], [0, 0, -1]], [[1, 0, 0], [0, 0, -1]], [[0, 0, 0], [0, 0, -1]]])
NAMED = np.array([[[0, 1, 0], [0, 0, 0]], [[0, 2, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]])


def pixel_accuracy(confusion, names, **options):
    def segment(rows):
        return IMAGES[rows], TRUTH[rows], NAMED[rows]

    samples = np.array(["a", "b", "c"])[: len(confusion)]
    return module.pixel_accuracy(confusion, segment, samples, names, **options)


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
    assert not pixel_accuracy(CONFUSION[2:], ("one", "two")).figures


def test_pictures_go_from_the_best_image_to_the_worst_in_vocs_colors():
    found = pixel_accuracy(CONFUSION[[2, 0, 1]], ("one", "two"))
    (figure,), pixels = found.figures, found.pixels["classes"]
    assert figure.rows == ("b\n75% right", "c\n75% right")  # the first has no mask
    assert pixels.shape == (2, 3, 2, 3, 3)
    assert (pixels[:, 0] == IMAGES[1:]).all()
    assert pixels[0, 1, 0].tolist() == [[128, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert pixels[0, 1, 1, 2].tolist() == [255, 255, 255]
    assert pixels[0, 2, 0].tolist() == [[0, 0, 0], [0, 128, 0], [0, 0, 0]]
    assert figure.key == {"background": "#000000", "one": "#800000", "two": "#008000"}
    assert len(pixel_accuracy(CONFUSION, ("one", "two"), shown=1).figures[0].rows) == 1
    with pytest.raises(XaibenchError, match="shown=0"):
        pixel_accuracy(CONFUSION, ("one", "two"), shown=0)
