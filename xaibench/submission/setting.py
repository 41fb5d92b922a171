"""The protocol that submitted maps are scored under: a run's own, or one made from options."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from xaibench.core.contract import Signature
from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import fingerprint
from xaibench.core.model import Model, Outputs
from xaibench.core.networks.weights import load_whole, read_weights
from xaibench.core.plugin import Bound, ModelTraits, Plugin
from xaibench.core.registry import bind
from xaibench.core.repeats import count_all_folds
from xaibench.core.splits import Split
from xaibench.core.suggest import did_you_mean
from xaibench.results.folder import Layout, Place
from xaibench.results.stored_run import options_of, read_run
from xaibench.running.plan import Plan
from xaibench.running.run_record import describe_protocol
from xaibench.setup.building import ModelWords
from xaibench.setup.cells import Ledger
from xaibench.setup.options import RunOptions
from xaibench.setup.selection import Selection, complete
from xaibench.setup.several import refuse_several

ALL = "all"


@dataclass(frozen=True)
class _Layout(Layout):
    """Results in one folder, trained models in another, where nothing is written."""

    models_in: Path

    def model_folder(self, place: Place) -> Path:
        return Layout(self.models_in).model_folder(place)


class Setting(Selection):
    """A selection that trains nothing: its model is a run's, brings its weights, or is unknown."""

    def __init__(self, options: RunOptions, fold: int | None) -> None:
        """Score one fold's test images, or without a number those of all.

        Raises:
            XaibenchError: the split has no such fold.
        """
        super().__init__(options)
        count = 1 if options.split == ALL else count_all_folds(self.split_name)
        if fold is not None and not 0 <= fold < count:
            raise XaibenchError(f"--fold {fold}: the split has folds 0 to {count - 1}.")
        self.run_splits: Mapping[str, str] = {}
        self._folds = range(count) if fold is None else range(fold, fold + 1)

    @property
    def folds(self) -> range:
        """Fold numbers that are scored."""
        return self._folds

    def split(self, fold: int, seed: int = 0) -> Split:
        """Divide the samples as a run does, or take all of them for the test."""
        refuse_several(self.dataset, "scoring submitted maps")
        if self.options.split == ALL:
            return Split((), (), self.dataset.samples, frozenset())
        return super().split(fold, seed)

    @property
    def ledgers(self) -> list[Ledger]:
        """One for each fold."""
        (seed,) = self.options.seeds
        return [Ledger(self, fold, self.models[0], seed) for fold in self.folds]

    @property
    def network_known(self) -> bool:
        """Whether it is known which network the maps explain."""
        return self.models[0].plugin is not UNSTATED

    def read_models_in(self, folder: Path) -> None:
        """Take trained models from a folder, and leave none in one's own."""
        self.layout = _Layout(self.layout.out, folder)


class _Unstated(Model):
    """Takes the place of a network: controls and masks need none."""

    def __init__(self, classes: int) -> None:
        super().__init__(cam_layer=None, trained=True)
        self._classes = classes

    def outputs(self, images: Tensor, *, saliency: bool = False) -> Outputs:  # noqa: ARG002
        return Outputs(images.new_zeros(len(images), self._classes))


def _unstated(classes: int) -> Model:
    return _Unstated(classes)


UNSTATED = Plugin("model", "unstated", _unstated, Signature(("classes",), {}), None, ModelTraits())


def setting_of_run(
    directory: Path, model: str, seed: int | None, fold: int | None, given: Mapping[str, Any]
) -> Setting:
    """Return a finished run's own protocol.

    Args:
        directory: its ``--out`` folder; nothing in it is changed.
        model: the network that the maps explain, one of the run's; empty where unknown.
        seed: its training seed; without one the run's first.
        fold: score this one's test images alone.
        given: options that change no score.

    Raises:
        XaibenchError: no finished run, no such model, seed or fold, or the run was made by other
            code or from other data.
    """
    run = read_run(directory)
    own = {"out": "", **given, "controls": False}
    stored = options_of(directory, run, own)
    if model and model not in run.models:
        raise XaibenchError(
            f"--model {model}: not among the run's{did_you_mean(model, run.models)}; they are "
            f"{', '.join(run.models)}."
        )
    if seed is not None and seed not in run.seeds:
        raise XaibenchError(f"--seed {seed}: the run's are {', '.join(map(str, run.seeds))}.")
    chosen = run.seeds[0] if seed is None else seed
    options = complete({**stored, "seeds": (chosen,)})
    setting = Setting(options, fold)
    setting.read_models_in(directory)
    setting.run_splits = run.splits
    setting.models = [bind("model", model) if model else Bound(UNSTATED, {})]
    setting.metrics = [metric for metric in setting.metrics if metric.spec in run.metrics]
    _check_protocol(directory, run.protocol, describe_protocol(setting, Plan(setting.metrics)))
    if model and not all(ledger.model_is_trained() for ledger in setting.ledgers):
        raise XaibenchError(
            f"--run {directory}: its model {model} is not there, or was made from other data or by "
            "other code; repeat the run first."
        )
    return setting


def setting_of_options(
    given: Mapping[str, Any], model: str, seed: int | None, fold: int | None
) -> Setting:
    """Return the protocol that a run with the same options would have.

    Args:
        given: a run's options, or ``split="all"`` for every sample of the dataset.
        model: a network that brings its weights, or takes them all from ``--weights``; empty where
            unknown.
        seed: of the controls.
        fold: score this one's test images alone.

    Raises:
        XaibenchError: an option is at fault, or the model is untrained.
    """
    weights = "none" if given.get("weights") is None else given["weights"]
    options = complete({**given, "weights": weights, "seeds": (seed or 0,)})
    setting = Setting(options, fold)
    if not model:
        setting.models = [Bound(UNSTATED, {})]
        return setting
    network = bind("model", model)
    if weights != "none":
        network = _with_weights(network, weights)
    setting.models = [network]
    if not setting.build(network, options.seeds[0], weights="none").trained:
        raise XaibenchError(
            f"--model {model}: nothing says what it has learned; give its state dict (--weights "
            "FILE), the run that trained it (--run DIR), or a plugin that brings its weights."
        )
    return setting


def _check_protocol(directory: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    if fingerprint(theirs) != fingerprint(ours):
        names = [name for name in ours if fingerprint(ours[name]) != fingerprint(theirs.get(name))]
        raise XaibenchError(
            f"--run {directory}: it was scored under another protocol than today's code has "
            f"({', '.join(names)}); repeat the run first, and only scores are made anew."
        )


def _with_weights(model: Bound, weights: str) -> Bound:
    """Return a model that takes all its weights from a state dict."""
    state = read_weights(model.plugin.name, weights)

    def loaded(class_names: tuple[str, ...], image_size: int, **_: Any) -> Model:
        built: Model = model(ModelWords(class_names, image_size))
        load_whole(built, state, f"--weights {weights}")
        built.trained = True
        return built

    signature = Signature(("class_names", "image_size"), model.plugin.signature.options)
    return replace(model, plugin=replace(model.plugin, function=loaded, signature=signature))
