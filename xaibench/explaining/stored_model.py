"""A trained model without its dataset: from a run's folder, or from a file of weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torchvision
from torch import Tensor

from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum
from xaibench.core.model import Model
from xaibench.core.networks import from_torchvision
from xaibench.core.networks.checkpoint_file import load_tensors, named_as
from xaibench.core.networks.sources import TIMM
from xaibench.core.networks.weights import load_whole, read_weights
from xaibench.core.passes.device import choose_device, set_up
from xaibench.core.passes.engine import Engine
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind, load_plugin_file, plugins
from xaibench.core.spec import parse_spec
from xaibench.core.splits import count_folds
from xaibench.explaining.layers import choose_layer
from xaibench.explaining.stored_analyses import StoredAnalyses
from xaibench.results.folder import MODEL_FILE, WEIGHTS_FILE, Layout, Place
from xaibench.results.records import RunRecord
from xaibench.results.splits import training_ids
from xaibench.results.stored_run import options_of, read_run
from xaibench.results.stored_work import stored_model
from xaibench.setup.building import ModelWords, build_model, numbered
from xaibench.setup.fits import FitState
from xaibench.setup.made_from import fit_parts
from xaibench.setup.options import RunOptions, make_options
from xaibench.setup.selection import select
from xaibench.setup.several import answer_each

_GUESS, _IMAGENET = 2, 1000


@dataclass(frozen=True)
class StoredModel:
    """A trained model with all that explaining a picture takes.

    Attributes:
        title: the model, for people.
        engine: runs its passes.
        classes: their names, K of them; of no account to models that don't classify.
        image_size: side of the square that pictures are resized to.
        methods: what to explain with where the user names none.
        seed: of methods that draw random numbers.
        dataset: which the model was trained on, and of whose images only a part may be read; None
            where nobody knows.
        analyses: what the run's analyses say of pictures; None where there is no run.
        fits: what methods have learned for it, where a run did that.
        learned: names of its training images, where a run tells them.
    """

    title: str
    engine: Engine
    classes: Sequence[str]
    image_size: int
    methods: tuple[str, ...] = ("gradcam",)
    seed: int = 0
    dataset: Bound | None = None
    analyses: StoredAnalyses | None = None
    fits: Callable[[Bound], FitState] | None = None
    learned: frozenset[str] = frozenset()

    def kept(self, height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns of a picture that the model is shown, as in its run."""
        if self.dataset is None:
            return slice(height), slice(width)
        return self.dataset.kept(height, width)

    @property
    def blank(self) -> Tensor:
        """An empty image ``(1, C, H, W)`` as the model takes it."""
        return self.engine.model.blank(self.image_size).to(self.engine.device)


def model_of_run(
    directory: Path, spec: str, fold: int | None, seed: int | None, given: Mapping[str, Any]
) -> StoredModel:
    """Return a model that a run has trained; its data and its first weights may be gone.

    Args:
        directory: the run's ``--out`` folder; nothing in it is changed.
        spec: the model; empty takes the run's first.
        fold: of the split; without one the first.
        seed: of the training; without one the first.
        given: ``layer``, ``device`` and ``plugin`` of the run's options, where others are wanted.

    Raises:
        XaibenchError: the folder is no run's, the model isn't trained there, or its weights are
            damaged or don't fit the network that today's code builds.
    """
    run = read_run(directory)
    stored = options_of(directory, run, {"device": "auto", **given, "weights": "none"})
    options = make_options(stored, {})
    for file in options.plugin:
        load_plugin_file(Path(file))
    place = _find(directory, run, options, (spec and bind("model", spec).spec, fold, seed))
    words = ModelWords(tuple(run.classes), options.image_size)
    model = build_model(bind("model", place.model), words)
    if run.several_labels:
        answer_each(model, place.model)
    _restore(model, Layout(directory).model_folder(place))
    if options.layer:
        choose_layer(model, model.blank(options.image_size), options.layer)
    methods = [name for name in run.methods if run.kind_of(name) != "control"]
    title = f"{place.model}, fold {place.fold}, seed {place.seed} of {directory}"
    found = _stored(model, options, title, words.class_names, tuple(methods), place.seed)
    known = parse_spec(run.dataset)[0] in plugins("dataset")
    dataset = bind("dataset", run.dataset) if known else None
    layout, whole = Layout(directory), {**stored, "out": str(directory)}
    return replace(
        found,
        dataset=dataset,
        analyses=StoredAnalyses(layout, place, partial(select, whole)),
        fits=partial(_fit_of, layout, place, options),
        learned=training_ids(layout.split_file(place)),
    )


def model_of_weights(spec: str, classes: Sequence[str], given: Mapping[str, Any]) -> StoredModel:
    """Return a model with all of its weights from a file, from torchvision, or its own.

    Args:
        spec: a model with options.
        classes: their names; without any a file's tensors tell how many there are.
        given: ``weights`` (a state dict's file, or ``imagenet``; none for a model that comes
            trained), ``image_size``, ``layer``, ``device`` and ``plugin`` of a run's options.

    Raises:
        XaibenchError: there is no such model, nothing says what it has learned, or its weights
            aren't whole.
    """
    options = make_options({"weights": "none", **given}, {})
    for file in options.plugin:
        load_plugin_file(Path(file))
    names = tuple(classes) or numbered(_GUESS)
    model = build_model(bind("model", spec), ModelWords(names, options.image_size))
    if options.weights != "none":
        state = read_weights(parse_spec(spec)[0], options.weights, options.image_size)
        count = _count_classes(model, state, spec, options, guess=len(classes) or _GUESS)
        names = _names(count, spec, classes, options)
        outputs = names if count is None else numbered(count)
        model = build_model(bind("model", spec), ModelWords(outputs, options.image_size))
        load_whole(model, state, f"--weights {options.weights}")
    elif not model.trained:
        raise XaibenchError(
            f"--model {spec}: nothing says what it has learned; give its state dict (--weights "
            "FILE), --weights imagenet, or the run that trained it (--run DIR)."
        )
    if model.classifies and (options.layer or model.cam_layer is None):
        choose_layer(model, model.blank(options.image_size) + 0.5, options.layer)
    return _stored(model, options, spec, names)


def _find(
    directory: Path,
    run: RunRecord,
    options: RunOptions,
    wanted: tuple[str, int | None, int | None],
) -> Place:
    """Return the first trained model that is as wanted: spec, fold, seed; empty or None is any."""
    split = run.protocol.get("split", options.split)
    trained = [
        place
        for model in run.models
        for fold in range(count_folds(split))
        for seed in run.seeds
        if (place := Place(run.dataset, split, fold, model, seed))
        and (Layout(directory).model_folder(place) / MODEL_FILE).is_file()
    ]
    spec, fold, seed = wanted
    for place in trained:
        if spec in ("", place.model) and fold in (None, place.fold) and seed in (None, place.seed):
            return place
    there = "; ".join(f"{p.model}, fold {p.fold}, seed {p.seed}" for p in trained)
    raise XaibenchError(
        f"--run {directory}: no such model is trained there; "
        + (f"choose --model, --fold and --seed of: {there}." if there else "finish the run first.")
    )


def _fit_of(layout: Layout, place: Place, options: RunOptions, method: Bound) -> FitState:
    known = stored_model(layout.model_folder(place))
    parts = fit_parts(options, (known.fingerprint, known.sha256), method)
    return FitState(layout.cell_folder(place, method.spec), parts)


def _restore(model: Model, folder: Path) -> None:
    stored = folder / WEIGHTS_FILE
    if checksum(stored) != stored_model(folder).sha256:
        raise XaibenchError(f"{stored}: missing or damaged; repeat the run.")
    state = load_tensors(stored, str(stored), "repeat the run")
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        said = str(error).splitlines()[-1].strip().rstrip(".")
        raise XaibenchError(
            f"{stored}: these weights don't fit the network that today's code builds ({said}); "
            "repeat the run."
        ) from error


def _names(
    count: int | None, spec: str, classes: Sequence[str], options: RunOptions
) -> tuple[str, ...]:
    """Return the classes' names: as given, ImageNet's, or numbers; one output means two classes."""
    count = 2 if count == 1 else count
    if classes and count not in (None, len(classes)):
        raise XaibenchError(
            f"--classes names {len(classes)}, but --weights {options.weights} knows {count}."
        )
    if classes or count is None:
        return tuple(classes) or numbered(_GUESS)
    name, _ = parse_spec(spec)
    if count == _IMAGENET and (name in from_torchvision.names() or name.startswith(TIMM)):
        meta = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta
        return tuple(meta["categories"])
    return numbered(count)


def _count_classes(
    model: Model, state: Mapping[str, Tensor], spec: str, options: RunOptions, guess: int
) -> int | None:
    """Return the outputs' number from the tensor whose length grows with it, None without one."""
    words = ModelWords(numbered(guess + 1), options.image_size)
    larger = build_model(bind("model", spec), words).state_dict()
    for key, own in model.state_dict().items():
        short = key.removeprefix("network.")
        given = named_as(state, {key}).get(key, named_as(state, {short}).get(short))
        if own.shape != larger[key].shape and given is not None and given.ndim == own.ndim:
            return len(given) - len(own) + guess
    return None


def _stored(
    model: Model, options: RunOptions, title: str, classes: Sequence[str],
    methods: tuple[str, ...] = ("gradcam",), seed: int = 0,
) -> StoredModel:  # fmt: skip
    model = set_up(model, choose_device(options.device))
    engine = Engine(model, precision=options.precision, fold=options.fold)
    return StoredModel(title, engine, classes, options.image_size, methods, seed)
