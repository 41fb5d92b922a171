"""How fast a GPU trains, beside a bare loop of torch, and what the main job on BUSI takes."""

import os
import time
from itertools import islice

import torch
from setting import Setting, Table, seconds

import xaibench
from xaibench.core.passes.device import forward_in
from xaibench.training.optimize import make_optimizer
from xaibench.training.train import Trainer


def steps(setting: Setting) -> Table:
    """Return images a second of an epoch of ours, and of the same steps on images at hand."""
    selection = setting.selection
    model = selection.build(selection.models[0], seed=0)
    split, options = selection.split(0), selection.options
    trainer = Trainer(model, selection.loader, split, options, seed=0, device=setting.device)
    count = sum(map(len, trainer.feed.chunks(0)))
    ours = seconds(lambda: trainer._epoch(len(trainer.state.history)), setting.device, 2)
    batches = list(islice(trainer.feed.training(0, None), 4))
    images = sum(len(batch.images) for batch in batches)
    optimizer = make_optimizer("adamw", model, 1e-4, fused=setting.device.type == "cuda")
    model.train()

    def bare() -> None:
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            with forward_in(trainer.precision, setting.device):
                loss = torch.nn.functional.cross_entropy(model(batch.images), batch.labels)
            loss.backward()
            optimizer.step()

    theirs = seconds(bare, setting.device, 2)
    rates = count / ours, images / theirs
    row = [setting.network, trainer.precision, *(f"{rate:.0f}" for rate in rates)]
    return ["network", "precision", "images/s", "bare loop", "ratio"], [
        [*row, f"{rates[0] / rates[1]:.2f}"]
    ]


def busi(setting: Setting) -> Table:
    """Return what training and a table of five methods take on BUSI, one fold and seed."""
    if "XAIBENCH_DATA" not in os.environ and not setting.few:
        return ["run", "s"], [["busi", "not run: XAIBENCH_DATA names no data"]]
    dataset = "phantom[images=40]" if setting.few else "busi"
    methods = ("gradcam", "layercam", "scorecam", "integrated_gradients", "fullgrad")
    started = time.perf_counter()
    found = xaibench.run(
        dataset=dataset, models=(setting.network,), image_size=setting.size, device=str(
        setting.device.type), methods=methods[:2] if setting.few else methods, weights="none"
        if setting.few else "imagenet", out=str(setting.out / "busi"), epochs=2 if setting.few
        else 10,
    )  # fmt: skip
    spent = time.perf_counter() - started
    return ["run", "s", "cells"], [[dataset, f"{spent:.0f}", len(found.leaderboard)]]
