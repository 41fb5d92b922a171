"""Scoring: confidences on covered images, imputation, localization."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from contest import Contest, Setting
from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence, IncreaseInConfidence
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
from torch import Tensor

from xaibench.core.imputation import impute
from xaibench.core.passes.engine import Engine
from xaibench.core.registry import bind
from xaibench.explaining.batch import ImageBatch, Maps
from xaibench.explaining.evidence import evidence_of
from xaibench.explaining.score import score_batch

TARGET = 1
METHODS = ["gradcam", "gradcam_pp", "hirescam", "xgradcam", "layercam", "eigencam", "eigengradcam"]
LOCALIZATION = ["iou", "iou_area", "hit_rate", "mass_in_mask"]


def score(setting: Setting, maps: list[Tensor], metrics: list[str]) -> dict[str, list[float]]:
    """Score several methods' maps of the same images, as a run does."""
    images, masks = setting.images, setting.masks
    ids = [str(row) for row in range(len(images))]
    targets = {"label": torch.full((len(images),), TARGET)}
    engine = _engine(setting)
    batch = ImageBatch(ids, images, masks, [True] * len(ids), targets, engine.predict)
    bound = [bind("metric", spec) for spec in metrics]
    values: dict[str, list[float]] = {spec: [] for spec in metrics}
    made = [evidence_of({"label": Maps(each, ["ok"] * len(ids))}, batch) for each in maps]
    for evidence in made:
        for row in score_batch(bound, evidence, lambda _: "label"):
            values[row.metric].append(row.value)
    return values


_engines: dict[int, Engine] = {}


def _engine(setting: Setting) -> Engine:
    return _engines.setdefault(id(setting.model), Engine(setting.model))


def confidence(setting: Setting) -> Iterator[Contest]:
    """Drop and increase in confidence of seven methods' maps."""
    maps = setting.explainer(setting.images, TARGET, METHODS)
    count = len(setting.images)

    def theirs() -> np.ndarray:
        targets = [ClassifierOutputSoftmaxTarget(TARGET)] * count
        rises = []
        for each in maps.values():
            cams = each.numpy()
            DropInConfidence()(setting.images, cams, targets, setting.model)
            rises.append(IncreaseInConfidence()(setting.images, cams, targets, setting.model))
        return np.concatenate(rises)

    def ours() -> dict[str, list[float]]:
        wanted = ["drop_in_confidence", "increase_in_confidence"]
        return score(setting, list(maps.values()), wanted)

    def differ(mine: dict[str, list[float]], rises: np.ndarray) -> float:
        return float(np.abs(np.array(mine["increase_in_confidence"]) - rises).max())

    yield Contest(
        "drop and increase in confidence, seven maps", ">= 4x", count, ours, {"grad-cam": theirs},
        passes=1 + len(maps), difference=differ,
    )  # fmt: skip


def road(setting: Setting) -> Iterator[Contest]:
    """ROAD's imputation at three shares of kept pixels."""
    images = setting.images[:2]
    size = tuple(images.shape[2:])
    order = torch.rand(len(images), *size, generator=torch.Generator().manual_seed(0))
    for kept in (10, 50, 90):
        removed = order >= kept / 100

        def theirs(removed: Tensor = removed) -> Tensor:
            imputer = NoisyLinearImputer(noise=0)
            return torch.stack([
                imputer(image, (~gone).float()) for image, gone in zip(images, removed, strict=True)
            ])  # fmt: skip

        yield Contest(
            f"ROAD imputation, {kept} % kept", ">= 3x at 10 %", len(images),
            lambda removed=removed: impute(images, removed[:, None])[:, 0], {"grad-cam": theirs},
            difference=lambda a, b: float((a - b).abs().max()),
        )  # fmt: skip


def localization(setting: Setting) -> Iterator[Contest]:
    """Four localization metrics; Quantus is asked in an environment of its own, in turns."""
    maps = setting.explainer(setting.images, TARGET, ["layercam"])["layercam"]
    peers: dict[str, Any] = {}
    if setting.quantus:
        folder = Path(tempfile.mkdtemp())
        np.savez(folder / "maps.npz", maps=maps.numpy(), masks=setting.masks.numpy() > 0)
        script = Path(__file__).with_name("quantus_peer.py")
        command = [setting.quantus, str(script), str(folder / "maps.npz"), str(setting.rounds)]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise click.ClickException(f"{setting.quantus} can't run Quantus: see above why")
        told = json.loads(done.stdout.splitlines()[-1])
        peers = {"Quantus": told}
    yield LocalizationContest(
        "four localization metrics", ">= 50x Quantus", len(maps),
        lambda: score(setting, [maps], LOCALIZATION), peers,
    )  # fmt: skip


class LocalizationContest(Contest):
    """Quantus measures itself in another process, as both can't live in one."""

    def run(self, setting: Setting) -> list[dict[str, Any]]:
        """Put its seconds beside ours."""
        told = self.peers
        self.peers = {}
        (row,) = super().run(setting)
        if told:
            theirs = told["Quantus"]
            mine = torch.tensor(self.ours()["mass_in_mask"])
            row |= {
                "peer": "Quantus (own process)",
                "peer_s": theirs["seconds"],
                "ratio": theirs["seconds"] / row["ours_s"],
                "difference": float((mine - torch.tensor(theirs["mass"])).abs().max()),
            }
        return [row]
