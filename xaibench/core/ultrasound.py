"""Ultrasound-like pictures, drawn from random numbers.

Everything is drawn in gray levels, which stand for decibels as on a scanner's screen: what
multiplies an echo (attenuation, contrast, speckle) is added here.
"""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

Gray = NDArray[np.float32]
Region = NDArray[np.bool_]

_ANGLES = np.linspace(-np.pi, np.pi, 361)
_MARGIN = 3
_SPECKLE_CONTRAST = 15.0  # gray levels for a factor e in amplitude


class Lesion(NamedTuple):
    """A lesion's region and how it is drawn.

    ``contrast`` and ``posterior`` are gray levels by which the lesion, and the tissue in its
    acoustic shadow, differ from the rest. ``rim`` is the brightness of its border, ``blur`` how
    far that spreads: a thin capsule, or a faint halo.
    """

    region: Region
    contrast: float
    posterior: float
    rim: float
    blur: float


def draw_scan(lesion: Lesion, generator: Generator) -> NDArray[np.uint8]:
    """Return the image ``(H, W)`` of a lesion in layered tissue."""
    shape = lesion.region.shape
    gray = _draw_layers(shape, generator)
    gray += _draw_streaks(shape, generator)
    _add_vessels(gray, lesion.region, generator)
    _add_lesion(gray, lesion)
    _add_shadows(gray, generator)
    gray += _draw_speckle(shape, generator) + generator.normal(0, 6)
    return np.asarray(gray.clip(0, 255).round(), np.uint8)


def draw_lesion(shape: tuple[int, int], irregular: bool, generator: Generator) -> Lesion:
    """Draw a lesion that covers 6 to 17 % of the image and lies wholly inside.

    Only the border depends on ``irregular`` (and the axes a little): size, place, contrast and
    what lies behind the lesion have the same distribution either way.
    """
    height, width = shape
    share = generator.uniform(0.06, 0.17)
    stretch = np.exp(generator.normal(0.08 if irregular else 0.13, 0.14))
    tilt = generator.normal(0, 0.25)
    row, column = generator.uniform(0, 1, 2)
    contrast, posterior = generator.uniform(45, 65), generator.uniform(-26, 22)
    rim = generator.uniform(40, 80)
    radii = _spiky_radii(generator) if irregular else _smooth_radii(generator)

    scale = np.sqrt(share * height * width / (np.pi * np.mean(radii[1:] ** 2)))
    y, x = _rotate(
        radii * np.sin(_ANGLES) * scale / stretch, radii * np.cos(_ANGLES) * scale * stretch, tilt
    )
    top, left = max(_MARGIN, 0.1 * height), _MARGIN
    room_y, room_x = height - _MARGIN - top, width - _MARGIN - left
    shrink = min(1.0, 0.97 * room_y / np.ptp(y), 0.97 * room_x / np.ptp(x))
    y, x, scale = y * shrink, x * shrink, scale * shrink
    center = (
        top - y.min() + row * (room_y - np.ptp(y)),
        left - x.min() + column * (room_x - np.ptp(x)),
    )
    region = _fill(shape, center, (scale / stretch, scale * stretch), tilt, radii)
    # The halo is as faint as it is wide, so that overall brightness does not tell the classes.
    rim, blur = (0.28 * rim, 3.0) if irregular else (rim, 1.0)
    return Lesion(region, -contrast, posterior, rim, blur)


def _smooth_radii(generator: Generator) -> NDArray[np.float64]:
    phase = generator.uniform(0, 2 * np.pi)
    return 1 + generator.uniform(0, 0.04) * np.cos(2 * _ANGLES + phase)


def _spiky_radii(generator: Generator) -> NDArray[np.float64]:
    radii = np.ones_like(_ANGLES)
    for lobes in (3, 4, 5, 6):
        height, phase = generator.uniform(0, 0.09), generator.uniform(0, 2 * np.pi)
        radii += height * np.cos(lobes * _ANGLES + phase)
    count = generator.integers(6, 11)
    # Evenly spread with jitter, because spikes on one heap would leave a smooth border elsewhere.
    tips = (np.arange(count) + generator.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
    heights, widths = generator.uniform(0.3, 0.8, count), generator.uniform(0.18, 0.3, count)
    away = np.abs((_ANGLES[:, None] - tips + np.pi) % (2 * np.pi) - np.pi)
    radii += np.max(heights * (1 - away / widths).clip(0), axis=1)
    return radii


def _rotate(
    y: NDArray[np.float64], x: NDArray[np.float64], angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sine, cosine = np.sin(angle), np.cos(angle)
    return y * cosine + x * sine, x * cosine - y * sine


def _fill(
    shape: tuple[int, int],
    center: tuple[float, float],
    axes: tuple[float, float],
    tilt: float,
    radii: NDArray[np.float64],
) -> Region:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    y, x = _rotate(rows - center[0], columns - center[1], -tilt)
    y, x = y / axes[0], x / axes[1]
    inside = np.hypot(y, x) <= np.interp(np.arctan2(y, x), _ANGLES, radii)
    # The tip of a thin spike can part from the rest where it falls between pixels.
    parts, count = ndimage.label(inside)
    return inside if count == 1 else parts == parts[round(center[0]), round(center[1])]


def _draw_layers(shape: tuple[int, int], generator: Generator) -> Gray:
    """Skin, fat, gland, fascia and muscle, each with a wavy upper border, dimmer with depth."""
    height, width = shape
    across = np.linspace(0, 2 * np.pi, width)
    waves = sum(
        generator.uniform(0.2, 1) / turns * np.sin(turns * across + generator.uniform(0, 6.3))
        for turns in (0.5, 1, 2, 3.5)
    )
    fat, gland, fascia = np.array([0.05, 0.22, 0.8]) + generator.uniform(-0.01, 0.06, 3)
    depths = [0, 0.03, fat, gland - 0.02, gland, fascia, fascia + 0.02, fascia + 0.05, 1]
    levels = np.array([150, 190, 105, 112, 142, 132, 178, 110, 120]) + generator.normal(0, 6, 9)
    down = np.linspace(0, 1, height)[:, None]
    warped = down + 0.035 * waves * np.sqrt(down)
    attenuation = generator.uniform(20, 55) * down**1.5
    return np.asarray(np.interp(warped, depths, levels) - attenuation, np.float32)


def _draw_streaks(shape: tuple[int, int], generator: Generator) -> Gray:
    """Fibres: noise smeared along the width, and slow changes of gain."""
    noise = generator.standard_normal(shape, np.float32)
    fibres = ndimage.uniform_filter(noise, (3, 19), mode="reflect")
    coarse = ndimage.zoom(generator.normal(0, 7, (5, 6)), (shape[0] / 5, shape[1] / 6), order=1)
    return np.asarray(fibres * 45 + coarse[: shape[0], : shape[1]], np.float32)


def _draw_speckle(shape: tuple[int, int], generator: Generator) -> Gray:
    """Log of a Rayleigh field, its grains wider than high."""
    waves = generator.standard_normal((2, *shape), np.float32)
    waves = ndimage.gaussian_filter(waves, (0, 0.7, 1.1), truncate=2.5)
    power = np.square(waves).sum(axis=0)
    power /= power.mean()
    return np.asarray(_SPECKLE_CONTRAST / 2 * np.log(power + 0.02), np.float32)


def _add_vessels(gray: Gray, lesion: Region, generator: Generator) -> None:
    """Darken small smooth blobs outside the lesion, often below the lesion's own level."""
    height, width = gray.shape
    rows, columns = np.ogrid[:height, :width]
    center = np.argwhere(lesion).mean(axis=0)
    # By area and not by extent: spikes must not thin out the vessels of one class.
    reach = 1.5 * np.sqrt(lesion.sum() / np.pi)
    for _ in range(generator.integers(1, 5)):
        y, x = generator.uniform((0.12 * height, 0), (height, width))
        half = generator.uniform(3, 6.5), generator.uniform(5, 14)
        drop = generator.uniform(40, 95)
        if np.hypot(y - center[0], x - center[1]) < reach + max(half):
            continue
        distance = np.hypot((rows - y) / half[0], (columns - x) / half[1])
        gray -= np.asarray(drop * ((1.2 - distance) / 0.4).clip(0, 1), np.float32)


def _add_lesion(gray: Gray, lesion: Lesion) -> None:
    cover = ndimage.gaussian_filter(lesion.region.astype(np.float32), 0.8, truncate=3)
    passed = np.cumsum(cover, axis=0) * (1 - cover)
    behind = ndimage.uniform_filter1d(passed / passed.max(), 5, axis=1)
    # Fibres and layers fade inside: a lesion pushes them aside.
    own = 0.5 * gray + 0.5 * float(gray[lesion.region].mean()) + lesion.contrast
    gray += cover * (own - gray) + lesion.posterior * behind
    blurred = ndimage.gaussian_filter(cover, lesion.blur, truncate=3)
    rim = 4 * blurred * (1 - blurred)
    # The rim echoes best where the beam meets it squarely: above and below.
    gray += lesion.rim * rim * (0.6 + np.abs(np.gradient(cover, axis=0)))


def _add_shadows(gray: Gray, generator: Generator) -> None:
    """Darken soft columns below some depth, as behind ribs, gas and bad contact."""
    height, width = gray.shape
    rows, columns = np.ogrid[:height, :width]
    for _ in range(generator.integers(0, 3)):
        x, spread = generator.uniform(0, width), generator.uniform(4, 14)
        start, strength = generator.uniform(0, 0.6) * height, generator.uniform(12, 35)
        onset = ((rows - start) / (0.2 * height)).clip(0, 1)
        across = np.exp(-(((columns - x) / spread) ** 2))
        gray -= np.asarray(strength * onset * across, np.float32)
