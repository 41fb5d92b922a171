"""The session of a run's trained model, with its images and what was predicted of them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor

from xaibench.core.data import Sample
from xaibench.core.loading import Loaded, share_marked
from xaibench.core.passes.device import choose_device, place_images
from xaibench.core.plugin import Bound
from xaibench.explaining.batch import ImageBatch
from xaibench.explaining.session import Session
from xaibench.explaining.training_set import TrainingSet, training_set
from xaibench.results.folder import PREDICTIONS_FILE
from xaibench.setup.cells import Ledger
from xaibench.setup.fits import fit_of, read_fitted
from xaibench.training.trained import Predictions, load_model


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
        self._device = choose_device(selection.options.device)
        self._judge = self.engine
        self._predictions: Predictions | None = None
        self._fitted: dict[str, Mapping[str, Tensor]] = {}
        if ledger.judge is not None:
            if ledger.judge is not ledger:
                self._judge = selection.engine(load_model(ledger.judge))
            self._predictions = Predictions(ledger.judge.folder / PREDICTIONS_FILE)

    def is_of(self, ledger: Ledger) -> bool:
        """Whether this is a ledger's model, as it is stored now."""
        return self.ledger.place == ledger.place and self._made_from == ledger.made_from

    def batches(self, samples: Sequence[Sample], target: str) -> Iterator[ImageBatch]:
        """Load images, with the classes to be explained.

        Args:
            samples: of the run's dataset.
            target: ``label``, ``predicted``, or ``auto`` for both where anybody predicts.
        """
        options = self._selection.options
        originals = options.score_at == "original"
        loader = self._selection.loader
        for loaded in loader.batches(samples, options.batch_size, originals=originals):
            yield self._prepare(loaded, target)

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
        batch.respond = self._judge.logits
        return batch

    @cached_property
    def training(self) -> TrainingSet:
        """The training images, with those masks alone that the budget lets be seen."""
        split = self._split
        return training_set(self._selection.loader, split.train, split.seen, self._device)

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
