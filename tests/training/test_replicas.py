from dataclasses import replace

import pandas as pd
import pytest
import torch

from xaibench.setup.selection import select
from xaibench.training.feed import Feed

CPU = torch.device("cpu")


@pytest.fixture
def given(small):
    return {**small, "models": ("pocket_saliency",), "train_batch_size": 8, "epochs": 2}


def gradients(model, batch):
    model.zero_grad(set_to_none=True)
    model.loss(batch)["loss"].backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def test_averaged_gradients_of_shares_are_those_of_the_whole_batch(given):
    selection = select(given)
    model = selection.build(selection.models[0], seed=0)
    split = selection.split(0)

    def batches(options, rank=0):
        feed = Feed(model, selection.loader, split, options, seed=0, device=CPU, rank=rank)
        return list(feed.training(3, None))

    wholes = batches(selection.options)
    shares = [batches(replace(selection.options, replicas=2), rank) for rank in (0, 1)]

    uneven = 0
    for whole, *parts in zip(wholes, *shares, strict=True):
        assert sum(len(part.labels) for part in parts) == len(whole.labels)
        seen = {int(part.masked.sum()) for part in parts}
        uneven += len(seen) > 1 and 0 in seen
        expected = gradients(model, whole)
        halves = [gradients(model, part) for part in parts]
        for name, value in expected.items():
            averaged = (halves[0][name] + halves[1][name]) / 2
            torch.testing.assert_close(averaged, value, rtol=1e-4, atol=1e-7)
    assert uneven, "one share must have been without any mask to show anything"


@pytest.mark.slow
def test_two_processes_train_to_what_one_trains_to(given, run_cells, tmp_path):
    outs = {count: tmp_path / str(count) for count in (1, 2)}
    for count, out in outs.items():
        run_cells(given, out, replicas=count)
    place = "phantom-images=48/holdout/pocket_saliency/seed0"
    alone, together = (torch.load(out / "models" / place / "model.pt") for out in outs.values())
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-3, atol=1e-5)
    one, two = (
        pd.read_csv(out / "models" / place / "history.csv").drop(columns="seconds")
        for out in outs.values()
    )
    assert list(two["epoch"]) == [1, 2]
    validated = [column for column in one if column.startswith("validation")]
    pd.testing.assert_frame_equal(one[validated], two[validated], rtol=1e-3)
    assert not list(outs[2].rglob("replica.pt"))
    scores = [pd.read_csv(out / "scores.csv") for out in outs.values()]
    assert len(scores[0]) == len(scores[1]) > 0
