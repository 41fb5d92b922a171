"""What a run is about: its plugins looked up, its dataset read, its splits made."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xaibench.core.data import Dataset
from xaibench.core.errors import XaibenchError
from xaibench.core.loading import Loader
from xaibench.core.model import Model
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.layer_names import full_name
from xaibench.core.passes.layers import cam_layer_of
from xaibench.core.plugin import Bound, MethodTraits, Plugin
from xaibench.core.reading.groups import join_groups
from xaibench.core.registry import bind, load_plugin_file, plugins
from xaibench.core.repeats import count_all_folds
from xaibench.core.roots import open_dataset
from xaibench.core.seeds import seed_of
from xaibench.core.splits import OFFICIAL, Split
from xaibench.results.folder import RUN_FILE, Layout, default_out
from xaibench.results.integrity import intact_record
from xaibench.results.records import RunRecord
from xaibench.results.splits import find_stored
from xaibench.setup.building import ModelFacts, ModelWords, build_model, check_channels
from xaibench.setup.dataset_choice import dataset_of
from xaibench.setup.dividing import divide_dataset, limit_samples
from xaibench.setup.option_values import listed
from xaibench.setup.options import RunOptions, make_options
from xaibench.setup.primary import primary_of
from xaibench.setup.several import EACH, LABEL, answer_each


class Selection:
    """A run's options with everything that they name."""

    def __init__(self, options: RunOptions) -> None:
        """Look up all plugins, so that a wrong name is told before any work is done."""
        for file in options.plugin:
            load_plugin_file(Path(file))
        self.options = options
        self.dataset_plugin = dataset_of(options)
        self.models = [bind("model", spec) for spec in options.models]
        self.metrics = [bind("metric", spec) for spec in options.metrics]
        self.methods = [bind("method", spec) for spec in options.methods]
        self.analyses = [bind("analysis", spec) for spec in options.analyses]
        for kind, bound in (("models", self.models), ("metrics", self.metrics),
                            ("methods", self.methods), ("analyses", self.analyses)):  # fmt: skip
            _refuse_repeats(kind, [each.spec for each in bound])
        self.primary = primary_of(options.primary, self.metrics)
        if options.controls:
            chosen = {method.plugin.name for method in self.methods}
            self.methods += [Bound(p, {}) for p in control_plugins() if p.name not in chosen]
        self._stored = find_stored(options.split)
        self.split_name = self._stored.name if self._stored else options.split
        self.command = ""  # what the user wrote, told by every result
        self._splits: dict[tuple[int, int], Split] = {}
        self._about: dict[str, ModelFacts] = {}
        self._prototype: tuple[str, Model] | None = None
        self.layout = Layout(Path(options.out or default_out(self.dataset_spec)))

    @property
    def dataset_spec(self) -> str:
        """The dataset's canonical name."""
        return self.dataset_plugin.spec

    def place_in(self, out: Path) -> None:
        """Take another folder than the options say: this process may see it elsewhere."""
        self.layout = replace(self.layout, out=out)

    def model(self, spec: str) -> Bound:
        """Return a model of the run, or the one that judges, by its name."""
        found = [model for model in self.models if model.spec == spec]
        return found[0] if found else bind("model", spec)

    @cached_property
    def dataset(self) -> Dataset:
        """All samples of the run, after ``--limit``."""
        found = open_dataset(self.dataset_plugin, self.options.data_root)
        samples, groups = found.samples, self.options.groups
        if groups:
            samples = join_groups(samples, Path(groups))
        return replace(found, samples=limit_samples(samples, found.apart, self.options.limit))

    @cached_property
    def loader(self) -> Loader:
        """Reads pictures at the run's image size."""
        return Loader(self.dataset, self.options.image_size, self.options.mask_resize)

    @property
    def is_drawn(self) -> bool:
        """Whether chance divides the samples, and neither their publishers nor a stored split."""
        return not (self._stored or self.split_name == OFFICIAL or self.dataset.apart)

    @property
    def folds(self) -> range:
        """Fold numbers of the split."""
        return range(count_all_folds(self.split_name))

    def split(self, fold: int, seed: int = 0) -> Split:
        """Divide the samples, once; the same for every model and method.

        Training seeds share the parts; with ``--redraw`` each draws the training subset and the
        masks that may be seen anew, seed 0 as those do that share them.
        """
        drawn = seed if self.options.redraw else 0
        if (fold, drawn) not in self._splits:
            self._splits[fold, drawn] = divide_dataset(
                self.dataset, self.options, self.split_name, self._stored, fold, drawn
            )
        return self._splits[fold, drawn]

    def build(self, model: Bound, seed: int, weights: str | None = None) -> Model:
        """Return an untrained network; its random weights depend on the seed alone."""
        torch.manual_seed(seed_of(seed, model.first_spec))
        chosen = self.options.weights if weights is None else weights
        words = ModelWords(self.dataset.classes, self.options.image_size, chosen)
        built = build_model(model, words)
        check_channels(built, model, self.dataset)
        if built.classifies and built.class_count != words.classes:
            raise XaibenchError(
                f"model {model.spec} has {built.class_count} classes, but "
                f"{self.options.dataset} has {words.classes} ({', '.join(words.class_names[:5])}"
                f"{', ...' if words.classes > 5 else ''}); build it with `classes` outputs, or "  # noqa: PLR2004
                "choose another dataset."
            )
        if self.dataset.several_labels:
            answer_each(built, model.spec)
        self._about[model.spec] = ModelFacts(built.classifies, built.all_masks)
        if self.options.layer:
            self._choose_layer(built, model.spec)
        return built

    def prototype(self, model: Bound) -> Model:
        """Return an untrained network to look at; the last one is kept, for who asks next."""
        if self._prototype is None or self._prototype[0] != model.spec:
            self._prototype = None  # two would take twice the memory
            self._prototype = model.spec, self.build(model, seed=0, weights="none")
        return self._prototype[1]

    def forget_prototype(self) -> None:
        """Keep no network: a study has many selections."""
        self._prototype = None

    def about(self, model: Bound) -> ModelFacts:
        """Return what a model is; it is built for that if it never was."""
        if model.spec not in self._about:
            self.prototype(model)
        return self._about[model.spec]

    @cached_property
    def judge(self) -> Bound | None:
        """The classifier that judges the maps of models that don't classify; None without any.

        Raises:
            XaibenchError: the one that was named doesn't classify.
        """
        if not self.options.judge:
            return next((model for model in self.models if self.about(model).classifies), None)
        named = bind("model", self.options.judge)
        if not self.about(named).classifies:
            raise XaibenchError(
                f"--judge {named.spec}: it doesn't classify; name a model that does."
            )
        return named

    def judge_of(self, model: Bound) -> Bound | None:
        """Return whose confidences a model's maps are scored by: its own, if it has any."""
        return model if self.about(model).classifies else self.judge

    def _choose_layer(self, built: Model, spec: str) -> None:
        try:
            built.cam_layer = full_name(built, self.options.layer)
            cam_layer_of(built, self.blank)
        except XaibenchError as error:
            raise XaibenchError(
                f"--layer {self.options.layer} on {spec}, one name for all models: {error}"
            ) from error

    @cached_property
    def blank(self) -> Tensor:
        """An empty image ``(1, C, H, W)`` of the run's size."""
        size = self.options.image_size
        return torch.zeros(1, self.dataset.channels, size, size)

    def engine(self, model: Model) -> Engine:
        """Return what runs a trained model's passes, as the options say."""
        options = self.options
        return Engine(
            model, precision=options.precision, fold=options.fold, compiled=options.compile
        )

    @property
    def tuning_target(self) -> str:
        """Which class the maps explain that thresholds are tuned on; of several those shown."""
        if self.dataset.several_labels:
            return LABEL
        return "predicted" if self.options.target == "predicted" else "label"

    def target_of(self, metric: Bound) -> str:
        """Return which class a metric's maps explain, ``label`` or ``predicted``, or `EACH`."""
        chosen = self.options.target
        if self.dataset.several_labels:
            return EACH
        if self.judge is None:  # nobody predicts
            return "label"
        return metric.plugin.traits.target if chosen == "auto" else chosen


def select(given: dict[str, Any]) -> Selection:
    """Complete options by the dataset's recipe and look everything up."""
    return Selection(complete(given))


def complete(given: dict[str, Any]) -> RunOptions:
    """Complete options by the dataset's recipe and the named one.

    A repeated run keeps its own, and whether its seeds draw masks anew.
    """
    for file in listed(given.get("plugin") or ()):
        load_plugin_file(Path(file))
    name = given.get("dataset") or RunOptions.dataset
    if not isinstance(name, str):
        raise XaibenchError(f"--dataset {name}: give one name, as text.")
    dataset = bind("dataset", name)
    options = make_options(given, dataset.plugin.traits.recipe)
    run = intact_record(Path(options.out or default_out(dataset.spec)) / RUN_FILE, RunRecord)
    if not run:
        return options
    kept = {"recipe": run.recipe, "redraw": run.redraws}
    told = {name: value for name, value in given.items() if value is not None}
    return make_options({**kept, **told}, dataset.plugin.traits.recipe)


def control_plugins() -> list[Plugin]:
    """Return the methods that only bound the board."""
    known = plugins("method").values()
    return [p for p in known if isinstance(p.traits, MethodTraits) and p.traits.family == "control"]


def _refuse_repeats(kind: str, specs: list[str]) -> None:
    repeated = sorted({spec for spec in specs if specs.count(spec) > 1})
    if repeated:
        raise XaibenchError(f"--{kind}: {', '.join(repeated)} is named twice (with its defaults).")
