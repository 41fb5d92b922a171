"""What a run's analyses say of explained pictures: tables, pictures and sentences."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xaibench.core.csv_cells import to_csv
from xaibench.core.explanation import Advice, Denoised, Explanation, Neighbors, Reconstruction
from xaibench.core.store import write_with
from xaibench.report.pictures.mosaic import draw_strip

NEIGHBORS_FILE, ANOMALIES_FILE, DENOISED_FILE = "neighbors.csv", "anomalies.csv", "denoised.csv"


class AdviceWriter:
    """Draws what is said picture by picture, and keeps the rows of the tables."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._neighbors: list[dict[str, Any]] = []
        self._anomalies: list[dict[str, Any]] = []
        self._denoised: list[dict[str, Any]] = []
        self.lines: list[str] = []

    def add(self, each: Explanation) -> None:
        """Draw ``<picture>/neighbors.png`` and ``<picture>/reconstruction.png``."""
        name, advice = each.file.name, each.advice
        self.lines += list(in_words(name, advice))
        if advice.neighbors is not None:
            self._show_neighbors(name, each, advice.neighbors)
        if advice.reconstruction is not None:
            self._show_reconstruction(name, advice.reconstruction)

    def close(self) -> None:
        """Write the tables, where there is anything to say."""
        tables = {
            NEIGHBORS_FILE: self._neighbors,
            ANOMALIES_FILE: self._anomalies,
            DENOISED_FILE: self._denoised,
        }
        for file, rows in tables.items():
            if rows:
                write_with(self._out / file, partial(to_csv, pd.DataFrame(rows)))

    def _show_neighbors(self, name: str, each: Explanation, found: Neighbors) -> None:
        said = f"{each.prediction}, {each.confidence:.2f}" if each.prediction else ""
        captions = [f"{Path(name).name}\n{said}"]
        for rank, near in enumerate(found.nearest, 1):
            captions.append(f"{near.kind}\n{Path(near.name).name}\ndistance {near.distance:.3g}")
            self._neighbors.append(
                {
                    "picture": name,
                    "rank": rank,
                    "neighbor": near.name,
                    "class": near.kind,
                    "distance": near.distance,
                    "vote": found.vote,
                }
            )
        images = [each.image, *(near.image for near in found.nearest)]
        title = f"Nearest training images: {found.votes} of {len(found.nearest)} {found.vote}"
        draw_strip(images, captions, title, self._out / name / "neighbors.png")

    def _show_reconstruction(self, name: str, found: Reconstruction) -> None:
        off = np.abs(found.seen.astype(np.int16) - found.drawn).astype(np.uint8)
        pictures = [found.seen, found.drawn, off]
        captions = ["as the network sees it", "what it draws", "absolute difference"]
        title = f"Error {found.error:.4g}"
        for analysis, alarm in found.alarms.items():
            threshold = found.thresholds[analysis]
            title += f", threshold {threshold:.4g}: {'alarm' if alarm else 'no alarm'}"
            self._anomalies.append(
                {
                    "picture": name,
                    "analysis": analysis,
                    "error": found.error,
                    "threshold": threshold,
                    "alarm": alarm,
                }
            )
        if (noisy := found.denoised) is not None:
            pictures += [noisy.noisy, noisy.restored]
            captions += [
                f"{what}\n{psnr:.1f} dB, SSIM {ssim:.2f}"
                for what, (psnr, ssim) in (
                    (f"with noise of {noisy.noise:g}", noisy.noisy_fidelity),
                    ("drawn from that", noisy.restored_fidelity),
                )
            ]
            self._denoised.append(_denoised_row(name, found.error, noisy))
        draw_strip(pictures, captions, title, self._out / name / "reconstruction.png")


def _denoised_row(name: str, error: float, found: Denoised) -> dict[str, Any]:
    measured = {"noisy": found.noisy_fidelity, "restored": found.restored_fidelity}
    return {"picture": name, "error": error, "noise": found.noise} | {
        f"{kind}_{what}": value
        for kind, values in measured.items()
        for what, value in zip(("psnr", "ssim"), values, strict=True)
    }


def in_words(name: str, advice: Advice) -> Iterator[str]:
    """Yield a sentence for each of an explained picture's analyses."""
    near, drawn = advice.neighbors, advice.reconstruction
    if near is not None:
        told = _counted(near)
        yield f"{name}: the {len(near.nearest)} nearest training images vote {near.vote} ({told})"
    if drawn is not None:
        for analysis, alarm in drawn.alarms.items():
            over, verdict = ("above", "an alarm") if alarm else ("not above", "no alarm")
            yield (
                f"{name}: reconstruction error {drawn.error:.4g}, {over} the threshold "
                f"{drawn.thresholds[analysis]:.4g} of {analysis}: {verdict}"
            )
        if not drawn.thresholds:
            yield f"{name}: reconstruction error {drawn.error:.4g}"
    if drawn is not None and drawn.denoised is not None:
        before, after = drawn.denoised.noisy_fidelity, drawn.denoised.restored_fidelity
        yield (
            f"{name}: with noise of {drawn.denoised.noise:g}, PSNR {before[0]:.1f} dB and SSIM "
            f"{before[1]:.2f}; drawn from that, {after[0]:.1f} dB and {after[1]:.2f}"
        )


def _counted(found: Neighbors) -> str:
    kinds: Sequence[str] = [near.kind for near in found.nearest]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
