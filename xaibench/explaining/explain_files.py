"""Explaining a user's own pictures with a trained model."""

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from xaibench.core.contract import CLASS_WORDS
from xaibench.core.data import Picture
from xaibench.core.errors import XaibenchError, reason_of
from xaibench.core.explanation import Answer, Explanation, PictureFile
from xaibench.core.loading import resize_picture
from xaibench.core.maps import finish
from xaibench.core.passes.device import place_images
from xaibench.core.passes.tape import Tape
from xaibench.core.plugin import Bound
from xaibench.core.progress import progress_bar
from xaibench.core.reading.images import read_image
from xaibench.core.registry import bind
from xaibench.core.suggest import did_you_mean
from xaibench.explaining.explain import TestBatch, ask, record
from xaibench.explaining.inputs import check_words
from xaibench.explaining.stored_model import StoredModel
from xaibench.setup.building import missing_word

_log = logging.getLogger(__name__)

# Photographs are large, and each waits at its own size.
_AT_ONCE = 8
PREDICTED = "predicted"
_SHOWN = 20


class PictureExplainer:
    """Explains pictures with one model; what can't be read or computed is noted, and left out.

    Attributes:
        failures: why a picture, or a method on it, has no map.
    """

    def __init__(self, stored: StoredModel, methods: Sequence[Bound], target: str) -> None:
        """Check that the model serves the methods and knows the target.

        Args:
            stored: the model.
            methods: all of which are wanted.
            target: ``predicted``, or the name or number of a class.

        Raises:
            XaibenchError: a method asks for what the model, or a call without masks, has not; or
                there is no such class.
        """
        self.stored, self.methods = stored, methods
        self.failures: dict[str, str] = {}
        check_words(methods, stored.engine.model, stored.blank)
        self._target = _class_of(target, stored)

    def __call__(self, files: Sequence[PictureFile]) -> Iterator[Explanation]:
        """Yield what is found, picture by picture; unreadable ones are left out."""
        with progress_bar("explain", f"by {self.stored.title}", len(files)) as bar:
            for first in range(0, len(files), _AT_ONCE):
                chunk = files[first : first + _AT_ONCE]
                if pictures := dict(self._read(chunk)):
                    yield from self._explain(pictures)
                bar.advance(len(chunk))

    def _read(self, files: Sequence[PictureFile]) -> Iterator[tuple[PictureFile, Picture]]:
        for file in files:
            try:
                yield file, Picture(read_image(file.path), None)
            except XaibenchError as error:
                self.failures[file.name] = str(error)

    def _explain(self, pictures: Mapping[PictureFile, Picture]) -> Iterator[Explanation]:
        engine = self.stored.engine
        squares = [resize_picture(p, self.stored.image_size).image for p in pictures.values()]
        pixels = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
        images = place_images(pixels, engine.device)
        known = engine.predict(images) if engine.model.classifies else None
        targets = self._targets(known)
        raw, failed = self._ask(images, [file.path.name for file in pictures], targets)
        for row, (file, picture) in enumerate(pictures.items()):
            sure = None if known is None else known[row].cpu()
            target = None if targets is None else int(targets[row])
            answers = {
                method.spec: self._answer(method, raw[method.spec][row], picture, target, sure)
                if method.spec in raw
                else Answer(f"failed: {failed[method.spec]}")
                for method in self.methods
            }
            self.failures |= {f"{name} on {file.name}": why for name, why in failed.items()}
            prediction = "" if sure is None else self.stored.classes[int(sure.argmax())]
            confidence = float("nan") if sure is None else float(sure.max())
            yield Explanation(file, picture.image, prediction, confidence, answers)

    def _targets(self, known: Tensor | None) -> Tensor | None:
        """Return the class of each image; None where the user named none and the model knows none.

        Args:
            known: confidences ``(B, K)``.
        """
        if self._target is None:
            return None if known is None else known.argmax(dim=1)
        count = _AT_ONCE if known is None else len(known)
        return torch.full((count,), self._target, device=self.stored.engine.device)

    def _ask(
        self, images: Tensor, ids: Sequence[str], targets: Tensor | None
    ) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Return each method's raw maps ``(B, h, w)``, and why others have none."""
        tape = record(self.stored.engine, self.methods, images)
        raw: dict[str, Tensor] = {}
        failed: dict[str, str] = {}
        for method in self.methods:
            try:
                raw[method.spec] = self._look(method, tape, ids, targets)
            except Exception as error:  # any plugin may raise anything
                failed[method.spec] = reason_of(error)
                _log.debug("traceback of %s", method.spec, exc_info=True)
        return raw, failed

    def _look(
        self, method: Bound, tape: Tape, ids: Sequence[str], targets: Tensor | None
    ) -> Tensor:
        if targets is not None:
            return self._maps(method, tape, ids, targets[: len(ids)])
        # A method that names a class may still not depend on it: a segmentation's foreground.
        last = len(self.stored.classes) - 1
        first, other = (
            self._maps(method, tape, ids, torch.full((len(ids),), k, device=tape.images.device))
            for k in (0, last)
        )
        if not torch.equal(first, other):
            raise XaibenchError(
                "it explains one class, and this model predicts none; set --target."
            )
        return first

    def _maps(self, method: Bound, tape: Tape, ids: Sequence[str], targets: Tensor) -> Tensor:
        images = tape.images
        masks = torch.zeros_like(images[:, 0], dtype=torch.int8)
        predict = self.stored.engine.predict
        batch = TestBatch(ids, images, masks, [False] * len(ids), {"label": targets}, predict)
        return ask(method, tape, batch, "label", seed=self.stored.seed, mean_mask=None).cpu()

    def _answer(
        self, method: Bound, raw: Tensor, picture: Picture, target: int | None, sure: Tensor | None
    ) -> Answer:
        size, traits = picture.image.shape[:2], method.plugin.traits
        heat, (status,) = finish(raw[None], size, sign=traits.sign, rescale=traits.rescale)
        if target is None or not CLASS_WORDS & set(method.plugin.signature.words):
            return Answer(status, raw.numpy(), heat[0].numpy())
        confidence = float("nan") if sure is None else float(sure[target])
        name = self.stored.classes[target]
        return Answer(status, raw.numpy(), heat[0].numpy(), name, confidence)


def choose_methods(stored: StoredModel, named: Sequence[str]) -> list[Bound]:
    """Return the methods named, or without any those that the model is explained with by default.

    Raises:
        XaibenchError: there is no such method, or none of the default ones suits the model.
    """
    if named:
        return [bind("method", spec) for spec in named]
    usual, model = [bind("method", spec) for spec in stored.methods], stored.engine.model
    found = [method for method in usual if not missing_word(method, model, stored.blank)]
    if not found:
        raise XaibenchError(
            f"{stored.title} serves none of {', '.join(stored.methods)}; name others with "
            "--methods."
        )
    return found


def _class_of(target: str, stored: StoredModel) -> int | None:
    if target == PREDICTED:
        return None
    names = list(stored.classes)
    if target in names:
        return names.index(target)
    if target.isdecimal() and int(target) < len(names):
        return int(target)
    shown = ", ".join(names) if len(names) <= _SHOWN else f"numbers from 0 to {len(names) - 1}"
    raise XaibenchError(
        f"--target {target}: no such class{did_you_mean(target, names)}; choose {PREDICTED}, or of "
        f"{shown}."
    )
