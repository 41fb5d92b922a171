"""Images that may show several classes: labels, masks, losses and thresholds, worked by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from xaibench.core.batch import Batch, accuracy, cross_entropy
from xaibench.core.cutoffs import best_cutoff
from xaibench.core.data import ClassLabel, Dataset, MaskLayer, read_files
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import Loader
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.core.several_labels import several_labels
from xaibench.core.splits import make_split
from xaibench.report.judging.per_class import average_precision
from xaibench.setup.several import check_target, labels_of, rows_explained

WIDE = (6, 4)  # height and width


def picture(path: Path, marked: tuple[slice, slice] | None = None) -> Path:
    values = np.zeros(WIDE, np.uint8)
    if marked is not None:
        values[marked] = 255
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three images with a column for each of two classes, in CheXpert's way, and masks of one."""
    for name in ("one", "two", "three"):
        picture(tmp_path / f"{name}.png")
    picture(tmp_path / "marked.png", (slice(1, 3), slice(0, 2)))
    lines = [
        "image,Edema,Mass,mask_Edema,patient",
        "one.png,1.0,0,marked.png,p1",
        "two.png,,-1,,p2",
        "three.png,1,1,,p2",
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_table_with_a_column_for_each_class(table: Path) -> None:
    dataset = open_dataset(bind("dataset", f"folder[path={table}]"), table.parent)
    assert dataset.classes == ("Edema", "Mass")
    assert labels_of(dataset.samples).tolist() == [[1, 0], [0, -1], [1, 1]]
    # Marked; an empty mask, as the class isn't there; and no mask, as nobody drew one.
    assert [s.class_labels[0].masks is None for s in dataset.samples] == [False, False, True]
    assert [s.class_labels[1].annotated for s in dataset.samples] == [False] * 3
    first, second, third = (dataset.read(sample).class_masks for sample in dataset.samples)
    assert first[0] is not None
    assert second[0] is not None
    assert (int(first[0].sum()), int(second[0].sum()), third) == (4, 0, (None, None))
    assert [sample.group for sample in dataset.samples] == ["p1", "p2", "p2"]


def test_columns_that_are_no_classes_are_named_and_slips_refused(table: Path) -> None:
    lines = table.read_text(encoding="utf-8").splitlines()
    extra = ["Fracture,Age,Old", ",61,1", "NaN,44,0", ",1,1"]
    text = "\n".join(f"{line},{more}" for line, more in zip(lines, extra, strict=True))
    table.write_text(text, encoding="utf-8")
    dataset = open_dataset(bind("dataset", f"folder[path={table}]"), table.parent)
    assert dataset.classes == ("Edema", "Mass", "Old")
    assert dataset.notes == (
        "table.csv: each image may show several of 3 classes (Edema, Mass, Old), or none.",
        "table.csv: columns without any value are no classes: fracture; write 0 where an image "
        "doesn't show the class.",
        "these columns of the table are not used: age.",
    )
    table.write_text(text.replace(",44,0", ",44,o"), encoding="utf-8")
    with pytest.raises(XaibenchError, match="line 3: 'old' is 'o' here, and 1, 0 or -1 in most"):
        open_dataset(bind("dataset", f"folder[path={table}]"), table.parent)
    chosen = bind("dataset", f"folder[path={table},classes=Mass+Edema]")
    assert open_dataset(chosen, table.parent).classes == ("Mass", "Edema")


def test_a_table_whose_labels_have_semicolons(table: Path) -> None:
    table.write_text("image,label\none.png,b;a\ntwo.png,\nthree.png,a\n", encoding="utf-8")
    dataset = open_dataset(bind("dataset", f"folder[path={table}]"), table.parent)
    assert dataset.classes == ("a", "b")
    assert labels_of(dataset.samples).tolist() == [[1, 1], [0, 0], [1, 0]]


def test_masks_of_nobody_are_refused(table: Path) -> None:
    table.write_text("image,label,mask\none.png,b;a,two.png\n", encoding="utf-8")
    with pytest.raises(XaibenchError, match="column 'mask' doesn't say of which class"):
        open_dataset(bind("dataset", f"folder[path={table}]"), table.parent)


@pytest.fixture
def overlapping(tmp_path: Path) -> Dataset:
    """One image whose two masks overlap, and one with no label at all."""
    image = picture(tmp_path / "image.png")
    top = MaskLayer(picture(tmp_path / "top.png", (slice(0, 4), slice(0, 4))))
    left = MaskLayer(picture(tmp_path / "left.png", (slice(0, 6), slice(0, 2))))
    both = several_labels(
        "both", image, (ClassLabel(1, (top,)), ClassLabel(1, (left,)), ClassLabel(0))
    )
    none = several_labels("none", image, (ClassLabel(0, ()), ClassLabel(0, ()), ClassLabel(-1)))
    return Dataset(("top", "left", "other"), (both, none))


def test_masks_of_two_classes_may_overlap(overlapping: Dataset) -> None:
    _, together, (top, left, other) = read_files(overlapping.samples[0])
    assert together is not None
    assert top is not None
    assert left is not None
    assert other is None
    assert [int(each.sum()) for each in (together, top, left)] == [20, 16, 12]
    loaded = next(Loader(overlapping, 32).batches(overlapping.samples, 2, originals=True))
    mine = loaded.of_class(1)
    assert mine.masks.shape == (2, 32, 32)
    assert mine.masks.float().mean(dim=(1, 2)).tolist() == [0.5, 0.0]
    assert [None if each is None else int(each.sum()) for each in mine.originals] == [12, 0]
    assert loaded.of_class(2).originals == [None, None]


def test_a_mask_of_what_the_label_denies_is_refused_unless_it_is_empty(table: Path) -> None:
    picture(table.parent / "black.png")
    text = table.read_text(encoding="utf-8").replace("two.png,,-1,,", "two.png,0,-1,black.png,")
    table.write_text(text.replace("three.png,1,1,,", "three.png,0,1,marked.png,"), encoding="utf-8")
    dataset = open_dataset(bind("dataset", f"folder[path={table}]"), table.parent)
    _, second, third = dataset.samples
    assert dataset.read(second).class_masks[0] is not None
    with pytest.raises(XaibenchError, match=r"three\.png: .*marked\.png marks a class that isn't"):
        dataset.read(third)


def test_which_classes_are_explained(overlapping: Dataset) -> None:
    def explained(target: str) -> dict[str, list[int]]:
        found = torch.tensor([[0, 0, 1], [1, 0, 0]])
        rows = rows_explained(target, overlapping.classes, overlapping.samples, found == 1)
        return {name: each.tolist() for name, each in rows.items()}

    assert explained("auto") == explained("label") == {"top": [0], "left": [0]}
    assert explained("predicted") == {"top": [1], "other": [0]}
    assert explained("left,other") == {"left": [0, 1], "other": [0, 1]}
    assert explained("all") == {"top": [0, 1], "left": [0, 1], "other": [0, 1]}
    with pytest.raises(XaibenchError, match=r"there is no class 'tob'.*top"):
        check_target("tob", overlapping, judged=True)
    odd = replace(overlapping, classes=("a, b", "left", "other"))
    check_target('"a, b",left', odd, judged=True)
    found = rows_explained('"a, b"', odd.classes, odd.samples, None)
    assert [*found] == ["a, b"]
    single = replace(overlapping, samples=(replace(overlapping.samples[0], class_labels=()),))
    with pytest.raises(XaibenchError, match="images have one label here"):
        check_target("all", single, judged=True)


def test_labels_of_one_image_alone_are_refused(overlapping: Dataset) -> None:
    bare = replace(overlapping.samples[1], class_labels=())
    with pytest.raises(XaibenchError, match="'none' has 0 labels, but there are 3 classes"):
        replace(overlapping, samples=(overlapping.samples[0], bare))


def batch_of(labels: list[list[int]], weights: list[float] | None = None) -> Batch:
    count = len(labels)
    images, masks = torch.zeros(count, 3, 2, 2), torch.zeros(count, 2, 2, dtype=torch.int8)
    weigh = None if weights is None else torch.tensor(weights)
    seen = torch.zeros(count, dtype=torch.bool)
    return Batch(images, torch.tensor(labels), masks, seen, count, 1, class_weights=weigh)


def test_the_loss_of_several_labels_is_a_mean_over_those_that_are_known() -> None:
    batch = batch_of([[1, 0, -1], [-1, -1, 0]])
    numbers = torch.tensor([[2.0, -1.0, 50.0], [50.0, -50.0, 0.0]])
    first = (np.log1p(np.exp(-2)) + np.log1p(np.exp(-1))) / 2
    assert cross_entropy(numbers, batch).item() == pytest.approx((first + np.log(2)) / 2)
    assert accuracy(numbers, batch).item() == pytest.approx(2 / 3)


def test_weights_of_several_labels_and_smoothing() -> None:
    batch = batch_of([[1, 0]], weights=[0.9, 0.3])
    batch.label_smoothing = 0.2
    numbers = torch.tensor([[2.0, -1.0]])

    def each(z: float, y: float) -> float:
        return float(y * np.log1p(np.exp(-z)) + (1 - y) * np.log1p(np.exp(z)))

    known = (0.9 * each(2, 0.9) + 0.7 * each(-1, 0.1)) / 2
    assert cross_entropy(numbers, batch).item() == pytest.approx(known)


def test_the_best_cutoff_by_trying_all() -> None:
    generator = np.random.default_rng(3)
    labels, confidences = generator.integers(0, 2, 40), generator.random(40).round(1)

    def youden(cutoff: float) -> float:
        found = confidences >= cutoff
        return float(found[labels == 1].mean() - found[labels == 0].mean())

    def f1(cutoff: float) -> float:
        found = confidences >= cutoff
        hits = float((found & (labels == 1)).sum())
        return 2 * hits / float(found.sum() + labels.sum())

    for rule, worth in (("youden", youden), ("f1", f1)):
        tried = [worth(cutoff) for cutoff in np.unique(confidences)]
        assert worth(best_cutoff(labels, confidences, rule)) == max(tried)  # type: ignore[arg-type]
    assert best_cutoff(np.zeros(4, int), np.ones(4), "f1") == 0.5


def test_average_precision_where_confidences_tie() -> None:
    truth = np.array([True, False, True, False, True])
    # At 0.7 one of one; at 0.5 two more, one of them right; at 0.1 the rest.
    found = average_precision(truth, np.array([0.7, 0.5, 0.5, 0.1, 0.1]))
    assert found == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_rare_classes_stand_in_as_many_parts_as_they_can(tmp_path: Path) -> None:
    image = picture(tmp_path / "image.png")
    shown = [(k % 2, int(k < 12), int(k == 0)) for k in range(40)]
    samples = [
        several_labels(f"{k}", image, tuple(ClassLabel(label) for label in labels))
        for k, labels in enumerate(shown)
    ]
    for fold in range(4):
        test = make_split(samples, "kfold:4", fold, mask_fraction=0).test
        counts = [sum(sample.class_labels[k].label for sample in test) for k in range(2)]
        assert 9 <= len(test) <= 11
        assert counts[1] == 3
        assert 4 <= counts[0] <= 6
