"""What is known of one picture once a model has looked at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PictureFile(NamedTuple):
    """A user's picture; ``name`` is its path below what all pictures share, without its ending."""

    name: str
    path: Path


class CoveredPicture(NamedTuple):
    """A picture ``(H, W, 3)`` uint8 with a part covered, and the target's confidence on it.

    ``words`` say what is covered.
    """

    words: str
    image: NDArray[np.uint8]
    confidence: float


class CoveredPictures(NamedTuple):
    """A picture as the network sees it, ``(h, w, 3)``, covered under its map ``(h, w)``.

    ``picture`` is the same ``(H, W, 3)``, as large as it is. ``confidence`` is the target's on it.
    """

    picture: NDArray[np.uint8]
    image: NDArray[np.uint8]
    heat: NDArray[np.float32]
    confidence: float
    covered: Sequence[CoveredPicture]


@dataclass(frozen=True)
class Answer:
    """What a method made of a picture.

    ``raw`` is its map ``(h, w)`` over the network's square, ``heat`` the finished one ``(H, W)`` in
    [0, 1] over the picture; both are None where the method failed, as ``status`` says. ``target``
    is the class explained, empty where the model has none. ``covered`` holds the picture with
    parts covered that the map tells, where that was asked for.
    """

    status: str
    raw: NDArray[np.float32] | None = None
    heat: NDArray[np.float32] | None = None
    target: str = ""
    target_confidence: float = float("nan")
    covered: CoveredPictures | None = None


class Neighbor(NamedTuple):
    """A training image ``(H, W, 3)`` uint8 beside a picture: its class, and how far it is."""

    name: str
    kind: str
    distance: float
    image: NDArray[np.uint8]


class Neighbors(NamedTuple):
    """A picture's nearest training images, the class that most of them have, and how many have it.

    ``analysis`` is the one whose options count.
    """

    analysis: str
    nearest: Sequence[Neighbor]
    vote: str
    votes: int


class Denoised(NamedTuple):
    """A picture with gray noise of a standard deviation, and what is drawn of it.

    Both ``(H, W, 3)`` uint8, and how close each is to the clean one: PSNR in dB, and SSIM.
    """

    noise: float
    noisy: NDArray[np.uint8]
    restored: NDArray[np.uint8]
    noisy_fidelity: tuple[float, float]
    restored_fidelity: tuple[float, float]


class Reconstruction(NamedTuple):
    """What an autoencoder made of a picture: both ``(H, W, 3)`` uint8.

    A mean squared error above a threshold is an alarm; each analysis may have set its own.
    ``denoised`` is what it made of the noisy picture, where the run has `reconstruction`.
    """

    error: float
    thresholds: Mapping[str, float]
    seen: NDArray[np.uint8]
    drawn: NDArray[np.uint8]
    denoised: Denoised | None = None

    @property
    def alarms(self) -> dict[str, bool]:
        """Whether the picture counts as sick, by each analysis."""
        return {name: self.error > bound for name, bound in self.thresholds.items()}


class Advice(NamedTuple):
    """What a run's analyses say of a picture, where it has them."""

    neighbors: Neighbors | None = None
    reconstruction: Reconstruction | None = None


@dataclass(frozen=True)
class Explanation:
    """One picture ``(H, W, 3)`` uint8, what the model says of it, and each method's answer.

    Of a model that doesn't classify ``prediction`` is empty and ``confidence`` NaN.
    """

    file: PictureFile
    image: NDArray[np.uint8]
    prediction: str
    confidence: float
    answers: Mapping[str, Answer]
    advice: Advice = field(default_factory=Advice)


class Patch(NamedTuple):
    """Where a picture excites a channel most.

    Attributes:
        channel: its number.
        picture: the number of the picture.
        value: the activation.
        pixels: ``(H, W, 3)`` uint8, what of the network's square the activation depends on.
        place: left, top, right and bottom of that in the square, right and bottom exclusive.
    """

    channel: int
    picture: int
    value: float
    pixels: NDArray[np.uint8]
    place: tuple[int, int, int, int]


class LayerFeatures(NamedTuple):
    """What a layer looks for.

    Attributes:
        layer: its name.
        maps: its channels ``(n, h, w)`` uint8 of one picture.
        patches: what excites channels most, channel by channel, the strongest first.
    """

    layer: str
    maps: NDArray[np.uint8]
    patches: Sequence[Patch]
