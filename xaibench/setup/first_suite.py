"""A first TOML file for somebody's own images, from a look at their folder."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from xaibench.core.data import Dataset, Sample
from xaibench.core.reading.headers import read_header
from xaibench.core.splits import OFFICIAL, PARTS

_LOOKED_AT = 50  # images whose sizes are read
_USUAL, _STEP, _LEAST = 224, 32, 64  # pixels of a side
_FEW, _MANY = 400, 2000  # images
_FOLDS = 5
_SHOWN = 6
_QUICK_SIDE, _QUICK_IMAGES, _QUICK_EPOCHS = 96, 400, 18

_LOCALIZATION = (
    "iou", "iou_tuned", "average_precision", "hit_rate", "mass_in_mask", "drop_in_confidence",
    "increase_in_confidence",
)  # fmt: skip
_FAITHFULNESS = ("drop_in_confidence", "increase_in_confidence", "insertion", "deletion")

_FILE = """\
# {title}
#
#   xaibench run --suite {file} --profile quick     # minutes on a CPU: is all as it should be?
#   xaibench run --suite {file} --dry-run           # the plan and its time; does nothing
#   xaibench run --suite {file}
#
# `xaibench run --help` lists all options; write them here with underscores.

# --- Data -----------------------------------------------------------------------------------------
{seen}
dataset = {dataset}
# {split_why}
split = {split}
{groups}
# Images are resized to a square of this side. {size_why}
image_size = {size}

# --- Models ---------------------------------------------------------------------------------------
# A plain classifier{second}. `xaibench list models` shows all;
# any network of torchvision, timm (timm/NAME) or Hugging Face (hf/NAME) will do.
models = {models}
# First weights: "imagenet" (downloaded), "none", or the path of a file.
weights = "imagenet"

# --- Training -------------------------------------------------------------------------------------
epochs = {epochs}
# More seeds give intervals that cover training variance: [0, 1, 2].
seeds = [0]
{mask_fraction}
# --- Explaining and scoring -----------------------------------------------------------------------
methods = {methods}
metrics = {metrics}
# The metric that the headline is about, chosen before the results are seen.
primary = {primary}

# --- Output ---------------------------------------------------------------------------------------
out = {out}

# --- A quick first look ---------------------------------------------------------------------------
# Small networks that start from random weights, on small images, divided once. Its figures show
# that all works; the networks above are worth publishing.
[profiles.quick]
{quick}
"""


@dataclass(frozen=True)
class FirstSuite:
    """What was seen in a folder, as sentences, and the text of a file that fits it."""

    seen: Sequence[str]
    text: str


def first_suite(dataset: Dataset, spec: str, file: str, name: str) -> FirstSuite:
    """Look at a dataset and write a suite for it.

    Args:
        dataset: somebody's images.
        spec: what names it, such as ``folder[path=images]``.
        file: where the suite will lie, for its own comments.
        name: of the folder, for people and for the folder of results.
    """
    samples = dataset.samples
    annotated, parted = dataset.annotated, _has_parts(samples)
    seen = [*_describe(dataset), *dataset.notes]
    size, size_why = _choose_size(samples)
    split, split_why = _choose_split(samples, parted=parted)
    models = ["resnet50", *(["saliency_net"] if annotated else [])]
    methods = ["gradcam", "gradcam_pp", "integrated_gradients", *(["spn"] if annotated else [])]
    metrics = list(_LOCALIZATION if annotated else _FAITHFULNESS)
    grouped = any(sample.group for sample in samples)
    text = _FILE.format(
        title=f"A first run on {name}.",
        file=file,
        seen="\n".join(f"# {line}" for line in seen),
        dataset=json.dumps(spec, ensure_ascii=False),
        split=json.dumps(split),
        split_why=split_why,
        groups="" if grouped else _NO_GROUPS,
        size=size,
        size_why=size_why,
        second=" and one that learns where to look from masks" if annotated else "",
        models=json.dumps(models),
        epochs=30 if len(samples) < _MANY else 10,
        mask_fraction=_MASKS if annotated else "",
        methods=json.dumps(methods),
        metrics=json.dumps(metrics),
        primary=json.dumps(metrics[0]),
        out=json.dumps(f"results/{name}", ensure_ascii=False),
        quick="\n".join(_quick(samples, size, name, annotated=annotated, parted=parted)),
    )
    return FirstSuite(seen, text)


_NO_GROUPS = """\
# No patients are known. Images of one patient in training and test give scores that are too high:
# add group=regex:... to the dataset, or a table (sample, group):
# groups = "patients.csv"
"""
_MASKS = """\
# Share of the training masks that learned methods may see.
mask_fraction = 0.25
"""


def _quick(
    samples: Sequence[Sample], size: int, name: str, *, annotated: bool, parted: bool
) -> Iterator[str]:
    """Yield the lines of a profile that takes minutes on a CPU."""
    aware = "saliency_net[backbone=gap_cnn,blocks=3,loss=dice]"
    yield f"models = {json.dumps(['gap_cnn', *([aware] if annotated else [])])}"
    yield 'weights = "none"'
    yield f"methods = {json.dumps(['gradcam', 'gradcam_pp', *(['spn'] if annotated else [])])}"
    yield f"image_size = {min(size, _QUICK_SIDE)}"
    if not parted:
        yield 'split = "holdout"'
    if len(samples) > _QUICK_IMAGES:
        yield f"limit = {_QUICK_IMAGES}"
    yield f"epochs = {_QUICK_EPOCHS}"
    yield f"out = {json.dumps(f'results/{name}-quick', ensure_ascii=False)}"


def _describe(dataset: Dataset) -> list[str]:
    """Say what was seen, in sentences that their owner can confirm."""
    samples, classes = dataset.samples, dataset.classes
    counts = Counter(classes[sample.label] for sample in samples)
    listed = ", ".join(f"{name} ({counts[name]})" for name in classes[:_SHOWN])
    more = f", and {len(classes) - _SHOWN} more" if len(classes) > _SHOWN else ""
    masks = sum(bool(sample.masks) for sample in samples)
    boxes = sum(bool(sample.boxes) for sample in samples)
    groups = len({sample.group for sample in samples if sample.group})
    lines = [f"{len(samples)} images of {len(classes)} classes: {listed}{more}."]
    if masks or boxes:
        both = [f"{masks} images"] * bool(masks) + [f"boxes for {boxes}"] * bool(boxes)
        lines.append(f"Masks for {' and '.join(both)}." if masks else f"Boxes for {boxes} images.")
    else:
        lines.append("No masks and no boxes: maps are scored by the model's confidence alone.")
    lines.append(f"{groups} groups or patients." if groups else "No groups or patients.")
    if _has_parts(samples):
        parts = Counter(sample.part for sample in samples)
        lines.append(", ".join(f"{parts[name]} {name}" for name in PARTS) + " images by folder.")
    return lines


def _has_parts(samples: Sequence[Sample]) -> bool:
    return {"train", "test"} <= {sample.part for sample in samples}


def _choose_split(samples: Sequence[Sample], *, parted: bool) -> tuple[str, str]:
    if parted:
        return OFFICIAL, "The folders name the parts: they are used as they are."
    if len(samples) < _MANY:
        return f"kfold:{_FOLDS}", f"Few images: each of {_FOLDS} folds is tested once."
    return "holdout", "Many images: one part of them is tested."


def _choose_size(samples: Sequence[Sample]) -> tuple[int, str]:
    step = max(len(samples) // _LOOKED_AT, 1)
    headers = [read_header(sample.path) for sample in samples[::step]]
    side = int(median(min(header.width, header.height) for header in headers))
    if side >= _USUAL:
        return _USUAL, f"Half of yours have a shorter side of {side} pixels or more."
    fitting = max(side // _STEP * _STEP, _LEAST)
    return fitting, f"Half of yours have a shorter side of {side} pixels or less."
