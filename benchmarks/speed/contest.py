"""Contenders take turns at one work; the medians, the ratios and the differences go to a table."""

import csv
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import click
import torch
from machine import flops_of, give_back_memory, matmul_rate, peak_memory
from torch import Tensor

import xaibench
from xaibench.core.loading import Loader
from xaibench.core.passes.allocator import keep_freed_memory
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.core.versions import versions_of
from xaibench.report.publish import portable
from xaibench.setup.building import ModelWords, numbered
from xaibench.setup.provenance import processor

_TOLD = ("torch", "grad-cam", "captum", "torchcam")  # whose versions the table gives


@dataclass
class Setting:
    """What every contender gets."""

    network: str
    weights: str
    image_size: int
    batch: int
    rounds: int
    data_root: str
    quantus: str
    allocator: str
    model: Any = None
    images: Tensor = field(default_factory=lambda: torch.zeros(0))
    masks: Tensor = field(default_factory=lambda: torch.zeros(0))
    flops: float = 0.0
    rate: float = 0.0
    explainer: Any = None

    @property
    def layer(self) -> torch.nn.Module:
        """The CAM layer."""
        return self.model.get_submodule(self.model.cam_layer)


def prepare(setting: Setting) -> Setting:
    """Build the model, read the images, and find the machine's limit."""
    keep_freed_memory()
    torch.manual_seed(0)
    setting.images, setting.masks = _images(setting)
    words = ModelWords(numbered(2), setting.images.shape[2], setting.weights)
    setting.model = bind("model", setting.network)(words)
    if setting.weights == "none":
        setting.model.train()
        with torch.no_grad():
            for _ in range(3):
                setting.model(setting.images)
    setting.model.eval()
    setting.explainer = xaibench.Explainer(setting.model)
    setting.flops = flops_of(setting.model, setting.images[:1])
    setting.rate = matmul_rate()
    return setting


def _images(setting: Setting) -> tuple[Tensor, Tensor]:
    try:
        data = open_dataset(bind("dataset", "busi"), setting.data_root)
    except xaibench.XaibenchError:
        data = open_dataset(bind("dataset", f"phantom[images={max(setting.batch, 30)}]"), "")
    loader = Loader(data, setting.image_size)
    chosen = [s for s in data.samples if s.label == 0 and s.masks][: setting.batch]
    loaded = next(iter(loader.batches(chosen, setting.batch)))
    # In memory as torchvision's ToTensor leaves them: the peers' users do not choose otherwise.
    return (loaded.images.float() / 255).contiguous(), loaded.masks


@dataclass
class Contest:
    """One work: ours and the peers' ways to do it.

    Attributes:
        name: of the work.
        goal: what was aimed at, in words.
        images: handled in one call.
        ours: does it, and returns what `difference` compares.
        peers: do it.
        passes: of the network by image, a backward pass counting two; 0: not the network's work.
        difference: between ours and a peer's results, for peers that it fits.
        rounds: if others than the setting's.
        alone: for a contender's peak memory: source that does its work in a fresh process.
    """

    name: str
    goal: str
    images: int
    ours: Callable[[], Any]
    peers: Mapping[str, Callable[[], Any]]
    passes: float = 0.0
    difference: Callable[[Any, Any], float] | None = None
    rounds: int = 0
    alone: Mapping[str, str] = field(default_factory=dict)

    def run(self, setting: Setting) -> list[dict[str, Any]]:
        """Let all take turns, and return a row for each peer."""
        contenders = {"ours": self.ours, **self.peers}
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        results: dict[str, Any] = {}
        rounds = self.rounds or setting.rounds
        for turn in range(rounds + (rounds > 1)):  # the first warms up, where it costs little
            for name, work in contenders.items():
                if name == "ours" or setting.allocator == "our":
                    keep_freed_memory.__wrapped__()
                else:
                    give_back_memory()
                started = time.perf_counter()
                results[name] = work()
                if turn or rounds == 1:
                    seconds[name].append(time.perf_counter() - started)
        each = {name: statistics.median(times) / self.images for name, times in seconds.items()}
        limit = self.passes * setting.flops / setting.rate
        memory = {name: peak_memory(setting, source) for name, source in self.alone.items()}
        rows = []
        for peer in self.peers or {"-": None}:
            differs = None
            if self.difference and peer in results:
                differs = self.difference(results["ours"], results[peer])
            rows.append({
                "work": self.name, "peer": peer, "images": self.images, "rounds": rounds,
                "ours_s": each["ours"], "peer_s": each.get(peer),
                "ratio": each[peer] / each["ours"] if peer in each else None,
                "of_limit": limit / each["ours"] if limit else None,
                "difference": differs, "ours_gb": memory.get("ours"),
                "peer_gb": memory.get(peer), "goal": self.goal,
            })  # fmt: skip
        return rows


class Table:
    """Rows as they come: shown, and written again after each work."""

    def __init__(self, setting: Setting, out: Path) -> None:
        self._setting, self._out = setting, out
        self._rows: list[dict[str, Any]] = []
        out.mkdir(parents=True, exist_ok=True)

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Append a work's rows."""
        self._rows += rows
        for row in rows:
            click.echo(" | ".join(f"{key} {_text(value)}" for key, value in row.items()))
        with (self._out / "speed.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._rows[0])
            writer.writeheader()
            writer.writerows(self._rows)
        (self._out / "speed.md").write_text(self._markdown(), "utf-8")

    def _markdown(self) -> str:
        s = self._setting
        versions = ", ".join(map(" ".join, versions_of(_TOLD).items()))
        lines = [
            f"    {portable(shlex.join(['python', *sys.orig_argv[1:]]))}",
            "",
            f"{s.network} (weights: {Path(s.weights).name}), {s.image_size} x {s.image_size}, "
            f"float32, peers with {s.allocator} allocator setting; {date.today()}, {processor()}, "
            f"threads: {torch.get_num_threads()}, {versions}; "
            f"matrix products {s.rate / 1e9:.0f} GFLOP/s, one pass {s.flops / 1e9:.2f} GFLOP.",
            "",
            "| work | against | images | ours, s/image | peer, s/image | ratio | of the limit "
            "| largest difference | our peak, GB | peer's peak, GB | goal |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        keys = ("work", "peer", "images", "ours_s", "peer_s", "ratio", "of_limit", "difference",
                "ours_gb", "peer_gb", "goal")  # fmt: skip
        for row in self._rows:
            lines.append("| " + " | ".join(_text(row[key]) for key in keys) + " |")
        return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
