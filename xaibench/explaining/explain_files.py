"""Explaining a user's own pictures with a trained model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from operator import setitem

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xaibench.core.contract import CLASS_WORDS
from xaibench.core.errors import OutOfMemoryError, XaibenchError
from xaibench.core.explanation import Advice, Answer, CoveredPictures, Explanation, PictureFile
from xaibench.core.passes.device import place_images
from xaibench.core.plugin import Bound
from xaibench.core.progress import progress_bar
from xaibench.core.reading.channels import in_color
from xaibench.core.registry import bind
from xaibench.core.suggest import did_you_mean
from xaibench.explaining.batch import without_masks
from xaibench.explaining.covered import cover_pictures
from xaibench.explaining.inputs import check_words
from xaibench.explaining.learned_before import LearnedBefore
from xaibench.explaining.pictures import read_pictures, square_of
from xaibench.explaining.source import Explained, MapSource
from xaibench.explaining.stored_model import StoredModel
from xaibench.setup.building import missing_word

Pictures = Sequence[tuple[PictureFile, NDArray[np.uint8]]]
# Photographs are large, and each waits at its own size.
_AT_ONCE = 8
PREDICTED = "predicted"
_SHOWN = 20


class PictureExplainer:
    """Explains pictures with one model; what can't be read or computed is noted, and left out.

    Attributes:
        failures: why a picture, or a method on it, has no map.
    """

    def __init__(
        self, stored: StoredModel, methods: Sequence[Bound], target: str, *, covered: bool = False
    ) -> None:
        """Check that the model serves the methods and knows the target.

        Args:
            stored: the model.
            methods: all of which are wanted.
            target: ``predicted``, or the name or number of a class.
            covered: show the pictures with parts covered, too.

        Raises:
            XaibenchError: a method asks for what the model, or a call without masks, has not; or
                there is no such class.
        """
        self.stored, self.methods = stored, methods
        self.failures: dict[str, str] = {}
        known = () if stored.fits is None else ("fitted",)
        remedy = "take a model of a run that had it among its methods (--run DIR)"
        check_words(methods, stored.engine.model, stored.blank, known, remedy)
        self._session = LearnedBefore(stored, [m for m in methods if m.plugin.fit])
        self._target, self._shows_covered = _class_of(target, stored), covered

    def __call__(self, files: Sequence[PictureFile]) -> Iterator[Explanation]:
        """Yield what is found, picture by picture; unreadable ones are left out."""
        with progress_bar("explain", f"by {self.stored.title}", len(files)) as bar:
            for first in range(0, len(files), _AT_ONCE):
                chunk = files[first : first + _AT_ONCE]
                if pictures := list(
                    read_pictures(chunk, self.stored.blank.shape[1], self.failures)
                ):
                    try:
                        found = self._explain(pictures)
                    except OutOfMemoryError:
                        found = chain.from_iterable(self._explain([one]) for one in pictures)
                    yield from found
                bar.advance(len(chunk))

    def _explain(self, pictures: Pictures) -> Iterator[Explanation]:
        """Explain pictures at once; their maps are stretched to their sizes one by one."""
        engine, files = self.stored.engine, [file for file, _ in pictures]
        squares = [square_of(picture, self.stored) for _, picture in pictures]
        pixels = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
        images = place_images(pixels, engine.device)
        known = engine.predict(images) if engine.model.classifies else None
        targets = self._targets(known, len(files))
        batch = without_masks([file.path.name for file in files], images, targets, engine.predict)
        found: dict[str, Explained] = {}
        sources = [
            MapSource(method, partial(setitem, found, method.spec)) for method in self.methods
        ]
        self._session.walk([batch], sources)
        for source in sources:
            if source.method.spec in found and not _is_of_one_class(found[source.method.spec]):
                source.fail("it explains one class, and this model predicts none; set --target.")
            if source.failure:
                self.failures |= {
                    f"{source.method.spec} on {file.name}": source.failure for file in files
                }
        analyses = self.stored.analyses
        advice = analyses(engine, images) if analyses else [Advice()] * len(files)
        return self._answers(pictures, known, sources, found, advice)

    def _answers(
        self,
        pictures: Pictures,
        known: Tensor | None,
        sources: Sequence[MapSource],
        found: Mapping[str, Explained],
        advice: Sequence[Advice],
    ) -> Iterator[Explanation]:
        shows = self._shows_covered and known is not None
        shown = [in_color(picture[self.stored.kept(*picture.shape[:2])]) for _, picture in pictures]
        covered = {spec: self._cover(shown, each) for spec, each in found.items()} if shows else {}
        for row, (file, picture) in enumerate(pictures):
            sure = None if known is None else known[row].cpu()
            answers = {
                source.method.spec: Answer(f"failed: {source.failure}")
                if source.failure
                else self._answer(source.method, found[source.method.spec], row, picture, sure)
                for source in sources
            }
            answers |= {
                spec: replace(answers[spec], covered=each[row])
                for spec, each in covered.items()
                if answers[spec].target
            }
            prediction = "" if sure is None else self.stored.classes[int(sure.argmax())]
            confidence = float("nan") if sure is None else float(sure.max())
            yield Explanation(file, in_color(picture), prediction, confidence, answers, advice[row])

    def _cover(self, shown: Sequence[NDArray[np.uint8]], found: Explained) -> list[CoveredPictures]:
        batch, (kind, maps) = found.batch, next(iter(found.maps.items()))
        targets = batch.targets[kind]
        predict = self.stored.engine.predict
        return cover_pictures(shown, batch.images, maps.values, targets, predict)

    def _targets(self, known: Tensor | None, count: int) -> dict[str, Tensor]:
        """Return the class of each image; the first and the last where nobody names or knows one.

        A method that names a class may still not depend on it, as a segmentation's foreground.

        Args:
            known: confidences ``(B, K)``.
            count: of images.
        """
        if self._target is None and known is not None:
            return {"chosen": known.argmax(dim=1)}
        classes = {"first": 0, "last": len(self.stored.classes) - 1}
        if self._target is not None:
            classes = {"chosen": self._target}
        device = self.stored.engine.device
        return {kind: torch.full((count,), k, device=device) for kind, k in classes.items()}

    def _answer(
        self,
        method: Bound,
        found: Explained,
        row: int,
        picture: NDArray[np.uint8],
        sure: Tensor | None,
    ) -> Answer:
        kind, maps = next(iter(found.maps.items()))
        assert maps.enlarge is not None
        raw = found.raw[kind][row].cpu().numpy()
        height, width = picture.shape[:2]
        heat = np.zeros((height, width), np.float32)
        seen = heat[self.stored.kept(height, width)]  # what the model wasn't shown stays at 0
        seen[:] = maps.enlarge(row, seen.shape)[0].cpu().numpy()
        target = int(found.batch.targets[kind][row])
        words = set(method.plugin.signature.words)
        own = "saliency" in words and self.stored.engine.model.class_saliency
        if kind == "first" or not (CLASS_WORDS & words or own):
            return Answer(maps.statuses[row], raw, heat)
        confidence = float("nan") if sure is None else float(sure[target])
        return Answer(maps.statuses[row], raw, heat, self.stored.classes[target], confidence)


def _is_of_one_class(found: Explained) -> bool:
    """Whether maps explain the class that was chosen, or the same in the first and the last."""
    last = found.raw.get("last")
    return last is None or not len(last) or torch.equal(found.raw["first"], last)


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
