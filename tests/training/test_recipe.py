"""Named recipes, and what they add: losses aside, each part by hand or beside torch."""

import pytest
import torch
from torch import nn

from xaibench.core.augment import augment
from xaibench.core.batch import Batch, cross_entropy
from xaibench.core.errors import XaibenchError
from xaibench.core.recipe import AUGMENTATIONS
from xaibench.core.store import write_json
from xaibench.results.sealed import write_sealed
from xaibench.setup.options import make_options
from xaibench.setup.selection import Selection, select
from xaibench.training.checkpoint import pack
from xaibench.training.optimize import LearningRate
from xaibench.training.train import Trainer

CPU = torch.device("cpu")


def trainer_of(tmp_path, **given):
    """Return a trainer of a tiny network on 40 phantoms."""
    told = {"dataset": "phantom[images=40]", "image_size": 32, "weights": "none", "epochs": 2,
            "models": "saliency_net[backbone=squeezenet1_1]", "out": str(tmp_path)}  # fmt: skip
    selection = Selection(make_options({**told, **given}, {}))
    model = selection.build(selection.models[0], seed=0)
    return Trainer(model, selection.loader, selection.split(0), selection.options, seed=0,
                   device=CPU)  # fmt: skip


def test_one_cycle_rises_for_a_seventh_of_the_steps_and_ends_near_nothing():
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=0.01)
    schedule = LearningRate("one_cycle", optimizer, epochs=4, steps=10)
    rates = []
    for _ in range(4):
        for _ in range(10):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch()
    assert rates[0] == pytest.approx(0.01 / 25)
    assert rates.index(max(rates)) == 5
    assert max(rates) == pytest.approx(0.01)
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 1e-4


@pytest.mark.slow
def test_an_average_of_the_weights_is_what_is_kept_and_judged(tmp_path):
    trainer = trainer_of(tmp_path, ema=0.6, keep_epoch="last", learning_rate=0.01)
    name = "head.0.weight"
    weights = dict(trainer.model.named_parameters())[name]
    seen, step = [], trainer.schedule.after_step
    trainer.schedule.after_step = lambda: (seen.append(weights.detach().clone()), step())
    trainer.train(tmp_path, "a", "a")
    expected = seen[0]
    for t, each in enumerate(seen[1:], start=1):
        kept = min(0.6, (1 + t) / (10 + t))
        expected = kept * expected + (1 - kept) * each
    torch.testing.assert_close(trainer.model.state_dict()[name], expected)
    assert not torch.allclose(expected, seen[-1])
    model = trainer.model.eval()
    batch = next(trainer.feed.training(0, None))
    kept = trainer.average.model.loss(batch)["loss"]
    torch.testing.assert_close(kept, model.loss(batch)["loss"])


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_training_goes_on_where_it_was_stopped(recipe, tmp_path):
    given = {"recipe": recipe, "epochs": 3}
    whole = trainer_of(tmp_path / "a", **given)
    whole.train(tmp_path / "a", "a", "a")
    stopped = trainer_of(tmp_path / "b", **given)
    stopped._epoch(0)
    (tmp_path / "b").mkdir()
    write_sealed(tmp_path / "b" / "checkpoint.pt", pack(stopped._state_to_store("a")))
    again = trainer_of(tmp_path / "b", **given)
    again.train(tmp_path / "b", "a", "a")
    assert len(again.state.history) == 3
    first, second = whole.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_the_last_epoch_is_kept_where_it_is_asked_for(tmp_path):
    trainer = trainer_of(tmp_path, keep_epoch="last")
    trainer._validate = lambda: {"validation_loss": float(len(trainer.state.history))}
    trainer.train(tmp_path, "a", "a")
    assert trainer.state.best_loss == 1
    other = trainer_of(tmp_path / "b", keep_epoch="last")
    other._validate = lambda: {"validation_loss": float("nan")}
    (tmp_path / "b").mkdir()
    with pytest.raises(XaibenchError, match="never finite"):
        other.train(tmp_path / "b", "b", "b")


def test_smoothed_labels_are_torch_s():
    logits = torch.tensor([[0.3, -0.2, 1.0], [1.0, 2.5, 0.1]])
    weights = torch.tensor([0.2, 0.5, 0.9])
    batch = Batch(None, torch.tensor([0, 2]), None, None, 2, 1, weights, label_smoothing=0.1)
    expected = nn.functional.cross_entropy(
        logits, batch.labels, weights, label_smoothing=0.1, reduction="sum"
    )
    torch.testing.assert_close(cross_entropy(logits, batch), expected / 2)


def test_history_tells_losses_and_accuracies_of_both_parts(tmp_path):
    row = trainer_of(tmp_path)._epoch(0)
    names = {f"{part}_{name}" for part in ("train", "validation") for name in ("loss", "accuracy")}
    assert names < set(row)
    assert 0 <= row["train_accuracy"] <= 1


def test_a_recipe_fills_in_what_is_not_given_and_datasets_come_before_it():
    strong = make_options({"epochs": 7}, {"learning_rate": 0.5})
    assert (strong.epochs, strong.learning_rate, strong.optimizer) == (7, 0.5, "adamw")
    published = make_options({"recipe": "published"}, {})
    assert (published.optimizer, published.schedule, published.ema) == ("adam", "constant", 0)
    assert (published.loss, published.keep_epoch, published.augmentation) == (
        "bce", "best", AUGMENTATIONS,
    )  # fmt: skip


def test_a_run_that_is_repeated_keeps_its_recipe(tmp_path):
    given = {"dataset": "phantom[images=40]", "out": str(tmp_path)}
    assert select(given).options.recipe == "strong"
    record = {"classes": [], "methods": {}, "metrics": {}, "options": {"recipe": "published"}}
    for options, recipe in ((record["options"], "published"), ({}, "published"),
                            ({"recipe": "strong"}, "strong")):  # fmt: skip
        write_json(tmp_path / "run.json", {**record, "options": options})
        found = select(given).options
        assert (found.recipe, found.optimizer == "adam") == (recipe, recipe == "published")
        assert select({**given, "recipe": "strong"}).options.ema == 0.98
    (tmp_path / "run.json").write_text("{", "utf-8")
    assert select(given).options.recipe == "strong"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rotate", r"there is no 'rotate' \(did you mean 'rotation'\?\); choose"),
        ("rotation:0", "'rotation' takes a number above 0, at most 180"),
        ("scale:2", "'scale' takes a number above 0, at most 1"),
        ("crop:0.3", "'crop' takes no number"),
        ("gamma:x", "'gamma' takes a number"),
        ("none,crop", "'none' can't be combined with others"),
    ],
)
def test_a_change_that_can_not_be_read_is_told(text, reason):
    with pytest.raises(XaibenchError, match=rf"^--augmentation {text}: .*{reason}"):
        make_options({"augmentation": text}, {})


def test_scale_translation_gamma_and_elastic_go_as_far_as_they_say():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(32, 1, 20, 30, generator=generator).repeat(1, 3, 1, 1)
    masks = torch.zeros(32, 20, 30, dtype=torch.int8)
    masks[:, 8:12, 12:18] = 1
    seeds = range(32)
    moved = augment(images, masks, seeds, ("translation:0.2",))[1]
    rows, columns = (moved.float().argmax(dim=1).amax(dim=1), moved.sum(dim=1).argmax(dim=1))
    assert (rows - 8).abs().max() <= 0.2 * 20 + 1 < 6
    assert 3 < (columns - 12).abs().max() <= 0.2 * 30 + 1
    scaled = augment(images, masks, seeds, ("scale:0.5",))[1].sum(dim=(1, 2)).float()
    assert 24 / 1.5**2 - 6 <= scaled.min() < 20
    assert 30 < scaled.max() <= 24 / 0.5**2 + 24
    powers = augment(images, masks, seeds, ("gamma:0.5",))[0][:, 0, 10, 15].log()
    powers = powers / images[:, 0, 10, 15].log()
    assert 0.6 <= powers.min() < 0.8
    assert 1.3 < powers.max() <= 1.65
    bent = augment(images, masks, seeds, ("elastic:0.1",))[1]
    assert (bent != masks).any()
    assert (bent.sum(dim=(1, 2)) > 0).all()


def test_what_lies_outside_is_black_or_the_mirror_image():
    images, masks = torch.full((8, 3, 24, 24), 0.5), torch.ones(8, 24, 24, dtype=torch.int8)
    dark, holes = augment(images, masks, range(8), ("rotation",))
    assert dark.min() == 0
    assert holes.min() == 0
    whole, filled = augment(images, masks, range(8), ("rotation", "reflection"))
    torch.testing.assert_close(whole, images)
    assert (filled == 1).all()
