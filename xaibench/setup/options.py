"""Everything a run can be told, once: the command line, suites and Python all read it here."""

import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import inf
from pathlib import Path
from typing import Any, Literal

from xaibench.callbacks.find import check_callbacks
from xaibench.core.errors import XaibenchError
from xaibench.core.files import is_file
from xaibench.core.recipe import (
    EXTENTS,
    RECIPES,
    STRONG_AUGMENTATIONS,
    LocalizationLoss,
    read_augmentation,
    read_schedule,
)
from xaibench.core.suggest import did_you_mean
from xaibench.executors.find import EXECUTORS
from xaibench.setup.option_checks import check_device_name, check_lists, check_ranges, stand_for
from xaibench.setup.option_values import convert_one, listed


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class RunOptions:
    """A run's options. Where nothing is given the dataset's recipe speaks, then these defaults."""

    dataset: str = _option("phantom", "what to run on; `xaibench list datasets` shows all")
    test_dataset: str = _option("", "test on this dataset of the same classes, train on the other")
    test_classes: tuple[str, ...] = _option(
        (), "pairs TRAIN=TEST of class names that differ between the two datasets"
    )
    methods: tuple[str, ...] = _option(
        ("gradcam", "spn"), "saliency methods to compare, or none: train only"
    )
    models: tuple[str, ...] = _option(
        ("resnet50", "saliency_net"), "networks: the baseline and the saliency-aware one"
    )
    metrics: tuple[str, ...] = _option(
        (
            "iou",
            "iou_tuned",
            "iou_area",
            "average_precision",
            "hit_rate",
            "mass_in_mask",
            "drop_in_confidence",
            "increase_in_confidence",
        ),
        "scores to compute",
    )
    primary: str = _option("", "metric that is tested alone; default the first of localization")
    margin: float = _option(0.0, "difference in --primary that doesn't matter; tests equivalence")
    controls: bool = _option(True, "score the control methods, too")
    split: str = _option("holdout", "holdout, official, kfold:K, kfold:KxR, or file:DIR (stored)")
    groups: str = _option("", "CSV file (sample, group) of images that stay in one part of a split")
    split_seed: int = _option(0, "seed of the split; training seeds share it")
    seeds: tuple[int, ...] = _option((0,), "training seeds")
    redraw: bool = _option(True, "each training seed draws its own training subset and masks")
    train_fraction: float = _option(1.0, "share of the training images to learn from")
    mask_fraction: float = _option(0.25, "share of the training masks that may be seen")
    recipe: Literal["published", "strong"] = _option(
        "strong",
        "named set of training options: strong (the defaults below) or published (the studies'); "
        "an option that is given replaces the recipe's, and a repeated run keeps its recipe",
    )
    epochs: int = _option(30, "training epochs")
    learning_rate: float = _option(4e-4, "the optimizer's learning rate")
    fresh_rate: float = _option(
        5.0, "times the learning rate: that of new layers on pretrained networks"
    )
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = _option(
        "adamw", "what trains; sgd has momentum 0.9"
    )
    weight_decay: float = _option(0.01, "the optimizer's weight decay")
    schedule: str = _option(
        "one_cycle",
        "of the learning rate: constant, one_cycle, cosine, step:EPOCHS:FACTOR or "
        "exponential:FACTOR",
    )
    label_smoothing: float = _option(0.05, "share of a label that all classes have in common")
    ema: float = _option(
        0.98, "decay of the moving average of the weights, which is kept; 0: none is taken"
    )
    keep_epoch: Literal["best", "last"] = _option(
        "last", "whose weights are kept: those of the lowest validation loss, or the last"
    )
    loss: Literal[LocalizationLoss] = _option(
        "bce_dice", "localization loss of models that don't name their own"
    )
    class_weighting: Literal["none", "balanced"] = _option(
        "none", "balanced: an image counts 1 - (its class's share of the training images)"
    )
    augmentation: tuple[str, ...] = _option(
        STRONG_AUGMENTATIONS,
        f"changes of training images: some of {', '.join(EXTENTS)}, with an extent where wanted "
        "(rotation:20), or none",
    )
    train_batch_size: int = _option(16, "images in a training step")
    judge: str = _option(
        "", "model that judges the maps of models that don't classify; default the first that does"
    )
    analyses: tuple[str, ...] = _option(
        (), "of embeddings and reconstructions; `xaibench list analyses` shows all"
    )
    image_size: int = _option(224, "side of the square that images are resized to")
    mask_resize: Literal["nearest", "area"] = _option(
        "nearest",
        "how masks are resized: to the nearest pixel, or by area, which keeps small regions",
    )
    score_at: Literal["network", "original"] = _option(
        "network", "the size at which maps meet masks: the network's, or each image's own"
    )
    batch_size: int = _option(16, "images explained and scored at once; changes no score")
    limit: int = _option(0, "keep this many images of each class; 0 keeps all")
    weights: str = _option("imagenet", "first weights: imagenet, none or a state dict's file")
    checkpoint: str = _option(
        "", "all weights of the one model, as some training left them; goes with --no-train"
    )
    train: bool = _option(True, "train models; --no-train takes them as they come")
    device: str = _option("auto", "where to compute: auto, cpu, cuda or cuda:NUMBER")
    train_precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] = _option(
        "auto", "of training; auto: bf16 on a GPU that has it, else fp32"
    )
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = _option(
        "fp32", "of the passes that explain and score; all but fp32 change maps"
    )
    fold: bool = _option(True, "fold batch norms into convolutions to explain and score")
    compile: bool = _option(False, "torch.compile the networks; pays for minutes of Score-CAM")
    layer: str = _option("", "CAM layer of all models; `xaibench layers MODEL` shows them")
    replicas: int = _option(1, "train on this many GPUs (on the CPU: processes) at once")
    executor: str = _option(
        "serial",
        "what does the work: serial (this process), processes, ray (a cluster), or one that an "
        "installed package brings; changes no score",
    )
    workers: int = _option(0, "workers at once; 0: one for each GPU, or as many as CPU cores allow")
    threads: int = _option(
        0, "CPU threads of each worker, which change the last digits; 0: as torch chooses"
    )
    address: str = _option("", "of a Ray cluster, auto or HOST:PORT; default a local one")
    shared: bool = _option(True, "Ray workers see the folder of --out under the same path")
    part_size: int = _option(1000, "images explained between two commits; changes no score")
    verify: bool = _option(False, "read all images and masks before any work; default a first look")
    retry_failed: bool = _option(False, "try again what has failed under the same conditions")
    strict_versions: bool = _option(
        False, "make again what other versions of xaibench, torch and so on have made"
    )
    dependence: bool = _option(
        True, "measure how much maps change with the class and with random last layers"
    )
    keep_maps: bool = _option(True, "keep raw maps, for the gallery and for later metrics")
    target: str = _option(
        "auto", "class explained: auto (label or prediction), label, predicted, all or class names"
    )
    label_threshold: Literal["youden", "f1"] = _option(
        "youden", "what chooses from which confidence one of several classes counts as found"
    )
    callbacks: tuple[str, ...] = _option((), "loggers of the run: tensorboard, mlflow or your own")
    data_root: str = _option("", "folder that holds all data; default $XAIBENCH_DATA")
    out: str = _option("", "folder for what the run leaves; default results/<dataset>")
    plugin: tuple[str, ...] = _option((), "Python file with plugins")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON and for other processes."""
        return asdict(self)


# What a trained network hangs on beside its data and its first weights.
TRAINING = (
    "epochs", "learning_rate", "fresh_rate", "train_batch_size", "image_size", "mask_resize",
    "optimizer", "weight_decay", "schedule", "label_smoothing", "ema", "keep_epoch", "loss",
    "class_weighting", "augmentation", "replicas",
)  # fmt: skip
_KINDS = typing.get_type_hints(RunOptions)


def make_options(given: Mapping[str, Any], recipe: Mapping[str, Any]) -> RunOptions:
    """Complete what was given by the dataset's recipe and the defaults, and check it.

    Raises:
        XaibenchError: an option is unknown or out of range.
    """
    known = [item.name for item in fields(RunOptions)]
    given = {_in_plural(name, given): value for name, value in given.items()}
    for name in (*given, *recipe):
        if name not in known:
            raise XaibenchError(f"there is no option '{name}'{did_you_mean(name, known)}.")
    told = {name: value for name, value in given.items() if value is not None}
    merged = {**RECIPES.get(str(told.get("recipe", RunOptions.recipe)), {}), **recipe, **told}
    options = RunOptions(**{name: _convert(name, value) for name, value in merged.items()})
    _check(options)
    return stand_for(options)


def _in_plural(name: str, given: Mapping[str, Any]) -> str:
    """Return ``methods`` for ``method``: a list of one may be called so."""
    several = f"{name}s"
    if typing.get_origin(_KINDS.get(several)) is not tuple:
        return name
    if several in given:
        raise XaibenchError(f"both {name} and {several} are given; give {several} alone.")
    return several


def _convert(name: str, value: Any) -> Any:
    kind = _KINDS[name]
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return tuple(convert_one(name, part, inner) for part in listed(value))
    return convert_one(name, value, kind)


def _check(options: RunOptions) -> None:
    check_ranges(options)
    check_device_name(options)
    if options.train_fraction == 0:
        raise XaibenchError("--train-fraction 0: something must be left to learn from.")
    read_schedule(options.schedule)
    read_augmentation(options.augmentation)
    EXECUTORS.check(options.executor)
    check_callbacks(options.callbacks)
    if not 0 < options.learning_rate < inf:
        raise XaibenchError(f"--learning-rate {options.learning_rate}: must be positive.")
    if options.replicas > 1 and options.executor != "serial":
        raise XaibenchError(
            f"--replicas {options.replicas}: only with --executor serial; others have models "
            "trained side by side."
        )
    # Batch norm can't learn from a single image.
    if options.train_batch_size < 2 * options.replicas:
        raise XaibenchError(
            f"--train-batch-size {options.train_batch_size}: at least 2 for each of the "
            f"{options.replicas} replicas."
        )
    if options.weights not in ("imagenet", "none") and not is_file(Path(options.weights)):
        raise XaibenchError(
            f"--weights {options.weights}: no such file (or choose 'imagenet' or 'none')."
        )
    check_lists(options)
