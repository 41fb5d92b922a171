"""An image and one of its classes: what is scored, and what the report takes for a sample."""

import pandas as pd
import torch

from xaibench.explaining.batch import ImageBatch
from xaibench.explaining.views import ClassView
from xaibench.report.facts.units import keys_of_maps, unit_name, units_of_predictions


def test_units_have_the_masks_of_their_class_and_the_confidences_of_their_image():
    asked = []

    def predict(images):
        asked.append(len(images))
        return images.mean(dim=(2, 3))

    images = torch.rand(3, 2, 4, 5)
    masks = torch.arange(3, dtype=torch.int8)[:, None, None].expand(3, 4, 5)
    views = {
        "dog": ClassView(torch.tensor([0, 2]), masks, [True, False, True], [False] * 3),
        "cat": ClassView(torch.tensor([1, 2]), 10 * masks, [False] * 3, [False, True, True]),
    }
    targets = {"dog": torch.zeros(3, dtype=torch.long), "cat": torch.ones(3, dtype=torch.long)}
    batch = ImageBatch(["a", "b", "c"], images, masks, [True] * 3, targets, predict, views=views)
    dog, cat = batch.unit("dog"), batch.unit("cat")
    assert (dog.ids, cat.ids) == (["a", "c"], ["b", "c"])
    assert dog.masks[:, 0, 0].tolist() == [0, 2]
    assert cat.masks[:, 0, 0].tolist() == [10, 20]
    assert (dog.annotated, cat.lost_masks) == ([True, True], [True, True])
    assert torch.equal(cat.confidences, images[[1, 2]].mean(dim=(2, 3)))
    assert torch.equal(dog.confidences, images[[0, 2]].mean(dim=(2, 3)))
    assert asked == [3]  # once for all classes
    later = batch.part(1, 3)
    assert (later.unit("dog").ids, later.unit("cat").ids) == (["c"], ["b", "c"])


def test_units_of_predictions():
    images = pd.DataFrame(
        {
            "dataset": "d", "split": "s", "fold": 0, "model": "m", "seed": 0,
            "sample": ["a", "b"], "group": ["", "p1"],
            "label_0": [1, 0], "label_1": [-1, 1],
            "prediction_0": [1, 1], "prediction_1": [1, 0],
            "confidence_0": [0.9, 0.8], "confidence_1": [0.7, 0.2],
        }
    )  # fmt: skip
    units = units_of_predictions(images, ("dog", "hot dog")).set_index("sample")
    assert units["group"].to_dict() == {
        "a [dog]": "image a", "b [dog]": "p1", "a [hot dog]": "image a", "b [hot dog]": "p1",
    }  # fmt: skip
    # Found and there, found in vain, unknown, and missed.
    assert units["right"].fillna(-1).tolist() == [1, 0, -1, 0]
    assert units["label"].tolist() == [0, 0, 1, 1]
    assert units["shown"].tolist() == [1, 0, -1, 1]
    assert units["confidence_0"].tolist() == [0.9, 0.8, 0.7, 0.2]


def test_maps_are_named_by_class():
    name = unit_name("x/1", "hot dog")
    assert keys_of_maps(name, ("label",), ("dog", "hot dog")) == ["hot dog/x/1"]
    assert keys_of_maps("x/1", ("label", "predicted"), ()) == ["label/x/1", "predicted/x/1"]
