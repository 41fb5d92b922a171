"""The session of a run's trained model, with its images and what was predicted of them."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from xaibench.core.data import Sample
from xaibench.core.loading import Loaded, share_marked
from xaibench.core.networks.random_weights import layers_in_order, with_random_weights
from xaibench.core.passes.device import choose_device, place_images
from xaibench.core.plugin import Bound
from xaibench.explaining.batch import ImageBatch
from xaibench.explaining.session import Session
from xaibench.explaining.training_set import TrainingSet, training_set
from xaibench.explaining.views import ClassView
from xaibench.results.folder import PREDICTIONS_FILE
from xaibench.setup.cells import Ledger
from xaibench.setup.fits import fit_of, read_fitted
from xaibench.setup.several import rows_explained, shown_in
from xaibench.training.trained import Predictions, load_model

_STATISTICS = 32  # training images that batch norms of random weights take theirs from


class RunSession(Session):
    """A trained model with its images."""

    def __init__(self, ledger: Ledger) -> None:
        """Load the model, and who judges its maps.

        Raises:
            XaibenchError: a model isn't there, or was made from something else.
        """
        selection = ledger.selection
        self.model = load_model(ledger)
        super().__init__(selection.engine(self.model), ledger.title, seed=ledger.seed)
        self.ledger, self._selection = ledger, selection
        self._made_from = ledger.made_from
        self._split = selection.split(ledger.fold, ledger.seed)
        self._classes = selection.dataset.classes
        self._device = choose_device(selection.options.device)
        self._judge = self.engine
        self._predictions: Predictions | None = None
        self._fitted: dict[str, Mapping[str, Tensor]] = {}
        if ledger.judge is not None:
            if ledger.judge is not ledger:
                self._judge = selection.engine(load_model(ledger.judge))
            several = len(self._classes) if selection.dataset.several_labels else 0
            path = ledger.judge.folder / PREDICTIONS_FILE
            self._predictions = Predictions(path, several=several)

    def is_of(self, ledger: Ledger) -> bool:
        """Whether this is a ledger's model, as it is stored now."""
        return self.ledger.place == ledger.place and self._made_from == ledger.made_from

    def batches(self, samples: Sequence[Sample], target: str) -> Iterator[ImageBatch]:
        """Load images, with the classes to be explained.

        Args:
            samples: of the run's dataset.
            target: ``label``, ``predicted``, or ``auto`` for both where anybody predicts; as
                `rows_explained` has it where images may show several classes.
        """
        options = self._selection.options
        originals = options.score_at == "original"
        loader = self._selection.loader
        for loaded in loader.batches(samples, options.batch_size, originals=originals):
            if not self._selection.dataset.several_labels:
                yield self._prepare(loaded, target)
                continue
            found = self.predicted(loaded.samples)
            if rows := rows_explained(target, self._classes, loaded.samples, found):
                batch = self._of_several(loaded, rows)
                batch.finds = None if found is None else (found == 1).to(self._device)
                yield batch

    def predicted(self, samples: Sequence[Sample]) -> Tensor | None:
        """Return the stored predictions ``(B,)``; None unless all are test images."""
        return None if self._predictions is None else self._predictions.of(samples)

    def _prepare(self, loaded: Loaded, target: str) -> ImageBatch:
        images = place_images(loaded.images, self._device)
        targets = {"label": torch.tensor([sample.label for sample in loaded.samples])}
        if target != "label" and self._predictions is not None:
            stored = self.predicted(loaded.samples)
            if stored is None:  # validation images, to tune on
                stored = self._judge.predict(images).argmax(dim=1)
            targets["predicted"] = stored
        chosen = {target: targets[target]} if target in targets else targets
        batch = ImageBatch.of(loaded, images, chosen, self._judge.predict)
        batch.respond, batch.classes = self._judge.logits, self._classes
        return batch

    def _of_several(self, loaded: Loaded, rows: Mapping[str, Tensor]) -> ImageBatch:
        """Return images with a view for each class that is explained in any of them."""
        images = place_images(loaded.images, self._device)
        places = {name: self._classes.index(name) for name in rows}
        targets = {name: torch.full((len(images),), at) for name, at in places.items()}
        batch = ImageBatch.of(loaded, images, targets, self._judge.predict)
        batch.respond, batch.classes = self._judge.logits, self._classes
        views = {}
        for name, at in places.items():
            mine = loaded.of_class(at)
            views[name] = ClassView(
                rows[name].to(self._device),
                mine.masks.to(self._device),
                [sample.class_labels[at].annotated for sample in loaded.samples],
                () if mine.originals else mine.lost,
                mine.originals,
            )
        batch.views, batch.shown = views, shown_in(loaded.samples).to(self._device)
        return batch

    @cached_property
    def training(self) -> TrainingSet:
        """The training images, with those masks alone that the budget lets be seen."""
        split = self._split
        return training_set(self._selection.loader, split.train, split.seen, self._device)

    @cached_property
    def randomized(self) -> Self:
        """The same with random weights in all layers, drawn from the run's seed."""
        images = self.training.images[:_STATISTICS]
        names = layers_in_order(self.model, images)
        model = with_random_weights(self.model, names, images, seed=self.seed)
        again = copy(self)
        again.engine = self._selection.engine(model)
        return again

    def fitted(self, method: Bound) -> Mapping[str, Tensor]:
        """Return what a method's fit has learned for the model."""
        if method.spec not in self._fitted:
            self._fitted[method.spec] = read_fitted(fit_of(self.ledger, method), self._device)
        return self._fitted[method.spec]

    @cached_property
    def mean_mask(self) -> Tensor:
        """The average ``(H, W)`` of the training masks that may be seen."""
        seen = self._split.seen_in(self._split.train)
        masks = (self._selection.loader.load(sample).mask for sample in seen)
        share = share_marked(masks, self._selection.options.image_size)
        return torch.from_numpy(share).float().to(self._device)
