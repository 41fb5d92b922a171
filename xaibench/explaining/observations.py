"""What a trained model shows of each image: the words of analyses, made once and kept on disk."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xaibench.core.data import IGNORED, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import checksum, code_of, fingerprint
from xaibench.core.loading import Loaded
from xaibench.core.model import Model
from xaibench.core.passes.device import as_bytes, place_images
from xaibench.core.passes.engine import Engine
from xaibench.core.progress import progress_bar
from xaibench.core.reading.channels import in_color
from xaibench.core.restoration import FIDELITIES, fidelity
from xaibench.core.seeds import BatchGenerator, seed_of
from xaibench.core.store import write_with
from xaibench.results.folder import PREDICTIONS_FILE
from xaibench.results.integrity import intact_record, is_intact, write_record
from xaibench.results.tables import read_table
from xaibench.results.work_records import ObservationRecord
from xaibench.setup.cells import Ledger

Array = NDArray[np.generic]
# Of a model and a full pass: images (B, C, H, W) and what is known of each -> (B, ...).
Look = Callable[[Model, Tensor, Tensor], Tensor]
# Of images and the batch that they were loaded in: what the model sees, and what is known of each.
Show = Callable[[Tensor, Loaded], tuple[Tensor, Tensor]]
_LARGEST_SEED = 2**32


def _name_regions(images: Tensor, loaded: Loaded) -> tuple[Tensor, Tensor]:
    """Return images and ``(B, H, W)``: 1 + the class in the mask, 0 outside, -1 if unknown."""
    classes = torch.tensor([sample.label + 1 for sample in loaded.samples])
    truth = (loaded.masks > 0) * classes[:, None, None]
    unknown = torch.tensor([not sample.annotated for sample in loaded.samples])
    truth[unknown] = -1
    truth[loaded.masks == IGNORED] = -1
    return images, truth.to(images.device)


class Observations:
    """The words of `core.contract.ANALYSIS_WORDS` for one trained model.

    Embeddings, errors and pixel counts are made at the first call and stored, so that another
    analysis, or a run that was stopped, doesn't make them again.
    """

    def __init__(self, ledger: Ledger, model: Model) -> None:
        self._ledger, self._engine = ledger, Engine(model, fold=False)
        self._split = ledger.selection.split(ledger.fold, ledger.seed)
        self._folder = ledger.selection.layout.observation_folder(ledger.place)
        self.class_names = tuple(ledger.selection.dataset.classes)
        self.samples = np.array([sample.id for sample in self._split.test])
        self.groups = np.array([sample.group for sample in self._split.test])
        self.labels = _labels(self._split.test)
        self.train_labels = _labels(self._split.train)
        self.seed = seed_of(ledger.seed, "analysis") % _LARGEST_SEED

    @cached_property
    def embeddings(self) -> Array:
        """``(N, D)`` of the test images."""
        return self._collect("embeddings", self._split.test, _embed)

    @cached_property
    def train_embeddings(self) -> Array:
        """``(M, D)`` of the training images."""
        return self._collect("train_embeddings", self._split.train, _embed)

    @cached_property
    def errors(self) -> Array:
        """``(N,)`` of the test images."""
        return self._collect("errors", self._split.test, _reconstruct)

    @cached_property
    def train_errors(self) -> Array:
        """``(M,)`` of the training images."""
        return self._collect("train_errors", self._split.train, _reconstruct)

    @cached_property
    def pixel_confusion(self) -> Array:
        """``(N, 1 + K, 1 + K)`` of the test images."""
        return self._collect("pixel_confusion", self._split.test, _name_pixels)

    def segment(self, rows: Sequence[int]) -> tuple[Array, Array, Array]:
        """Return the images ``(n, H, W, 3)`` uint8 of some rows, and their pixels' classes.

        Returns:
            Beside the images the true and the predicted indices, both ``(n, H, W)`` int16: 0 is the
            background, 1 + k class k, and -1 a truth that isn't known.
        """
        found = self._walk("class maps", [self._split.test[row] for row in rows], _segment)
        return in_color(found[..., :-2].astype(np.uint8)), found[..., -2], found[..., -1]

    def restore(self, noise: float, count: int) -> tuple[dict[str, Array], Array]:
        """Add gray noise to the test images and compare what the model draws with the clean ones.

        Args:
            noise: its standard deviation; pixels are in [0, 1], and sums aren't cut to that.
            count: images that are shown.

        Returns:
            Of each image, noisy and restored, what `core.restoration.fidelity` measures, ``(N,)``
            by name; and pictures ``(count, 3, H, W, C)`` uint8: original, noisy, restored.
        """
        seed = self._ledger.seed

        def show(images: Tensor, loaded: Loaded) -> tuple[Tensor, Tensor]:
            seeds = [seed_of(seed, sample.id, "noise") for sample in loaded.samples]
            drawn = BatchGenerator(seeds, images.device).normal(1, *images.shape[2:])
            return images + noise * drawn, images

        test, title = self._split.test, f"noise of {noise:g} and what is drawn from it"
        measured = self._walk(title, test, _measure, show).T
        kinds = (f"{kind}_{name}" for kind in ("noisy", "restored") for name in FIDELITIES)
        pictures = self._walk(title, test[:count], _draw, show)
        return dict(zip(kinds, measured, strict=True)), pictures

    @cached_property
    def predictions(self) -> Array | None:
        """``(N,)`` as the run stored them; None where the model doesn't classify."""
        found = self._stored(["prediction"])
        return None if found is None else found[:, 0].astype(np.int64)

    @cached_property
    def confidences(self) -> Array | None:
        """``(N, K)``, likewise."""
        return self._stored([f"confidence_{index}" for index in range(len(self.class_names))])

    def _stored(self, columns: list[str]) -> NDArray[np.float64] | None:
        if not self._engine.model.classifies:
            return None
        table = read_table(self._ledger.folder / PREDICTIONS_FILE).set_index("sample")
        return np.asarray(table.loc[self.samples, columns], float)

    def _collect(self, word: str, samples: Sequence[Sample], look: Look) -> Array:
        path, record = self._folder / f"{word}.npy", self._folder / f"{word}.json"
        made_from = fingerprint(*weights_of(self._ledger), code_of("explaining/observations"))
        known = intact_record(record, ObservationRecord)
        if known and known.fingerprint == made_from and is_intact(path, known.sha256):
            stored: Array = np.load(path)
            return stored
        found = self._walk(word, samples, look)
        if not np.isfinite(found).all():
            raise XaibenchError(
                f"{self._ledger.title}: some {word.replace('_', ' ')} are not finite; the training "
                "may have diverged: lower --learning-rate."
            )
        write_with(path, lambda file: np.save(file, found))
        write_record(record, ObservationRecord(made_from, checksum(path)))
        return found

    def _walk(
        self, word: str, samples: Sequence[Sample], look: Look, show: Show = _name_regions
    ) -> Array:
        selection, parts = self._ledger.selection, []
        title = f"{word.replace('_', ' ')} of {self._ledger.title}"
        with progress_bar("observe", title, len(samples)) as bar:
            for loaded in selection.loader.batches(samples, selection.options.batch_size):
                images = place_images(loaded.images, self._engine.device)
                parts.append(self._look(look, *show(images, loaded)))
                bar.advance(len(loaded.samples))
        return np.concatenate(parts)

    def _look(self, look: Look, images: Tensor, known: Tensor) -> Array:
        """Ask the model about full blocks, so that no image's answer hangs on its batch."""
        size = self._engine.batch_size(images)

        def ask(first: int, last: int) -> Tensor:
            filled = size.fill(images[first:last])
            with torch.inference_mode(), self._engine.casting():
                return look(self._engine.model, filled, known[first:last]).cpu()

        return torch.cat(list(size.over(len(images), ask))).numpy()


def weights_of(ledger: Ledger) -> tuple[str, str]:
    """Return what a trained model was made from, and its weights' checksum."""
    return ledger.model_fingerprint, ledger.weights


def _labels(samples: Sequence[Sample]) -> NDArray[np.int64]:
    return np.array([sample.label for sample in samples], np.int64)


def _embed(model: Model, images: Tensor, truth: Tensor) -> Tensor:
    return model.embed(images)[: len(truth)].float()


def _reconstruct(model: Model, images: Tensor, truth: Tensor) -> Tensor:
    return (_restored(model, images) - images).double().square().mean(dim=(1, 2, 3))[: len(truth)]


def _restored(model: Model, images: Tensor) -> Tensor:
    drawn = model.outputs(images).reconstruction
    assert drawn is not None
    return drawn


def _measure(model: Model, images: Tensor, clean: Tensor) -> Tensor:
    """Return ``(B, 6)``: the fidelity of noisy images, then of what is drawn from them."""
    count = len(clean)
    return torch.cat(
        [fidelity(images[:count], clean), fidelity(_restored(model, images)[:count], clean)], dim=1
    )


def _draw(model: Model, images: Tensor, clean: Tensor) -> Tensor:
    """Return pictures ``(B, 3, H, W, C)``: original, noisy, restored."""
    count = len(clean)
    shown = torch.stack([clean, images[:count], _restored(model, images)[:count]], dim=1)
    return as_bytes(shown)


def _name_pixels(model: Model, images: Tensor, truth: Tensor) -> Tensor:
    """Count pixels by true class and predicted one, ``(B, 1 + K, 1 + K)``."""
    predicted, classes = _predict_pixels(model, images)
    counts = [
        (row * classes + named)[row >= 0].bincount(minlength=classes**2).view(classes, classes)
        for row, named in zip(truth, predicted[: len(truth)], strict=True)
    ]
    return torch.stack(counts)


def _segment(model: Model, images: Tensor, truth: Tensor) -> Tensor:
    """Return ``(B, H, W, C + 2)`` int16: the image in 0 to 255, true and predicted indices."""
    count = len(truth)
    pixels = (images[:count].float().clamp(0, 1) * 255).round().movedim(1, -1)
    predicted, _ = _predict_pixels(model, images)
    indices = torch.stack([truth, predicted[:count]], dim=-1)
    return torch.cat([pixels.short(), indices.short()], dim=-1)


def _predict_pixels(model: Model, images: Tensor) -> tuple[Tensor, int]:
    """Return the index ``(B, H, W)`` of the likeliest class, and how many there are."""
    maps = model.outputs(images).class_maps
    assert maps is not None
    size = tuple(images.shape[2:])
    if tuple(maps.shape[2:]) != size:
        maps = torch.nn.functional.interpolate(maps, size, mode="bilinear", align_corners=False)
    return maps.argmax(dim=1), maps.shape[1]
