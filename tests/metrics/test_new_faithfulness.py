"""Faithfulness metrics against references in numpy, written another way."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.integrate import trapezoid
from skimage.metrics import structural_similarity

from xaibench.core.baselines import baseline_of
from xaibench.core.information_curve import FRACTIONS
from xaibench.core.seeds import BatchGenerator
from xaibench.core.superpixels import find_superpixels
from xaibench.metrics.adcc import adcc
from xaibench.metrics.aic import aic
from xaibench.metrics.average_gain import average_gain
from xaibench.metrics.deletion import deletion
from xaibench.metrics.f_fidelity import f_fidelity
from xaibench.metrics.irof import irof
from xaibench.metrics.random_logit import random_logit
from xaibench.metrics.sensitivity_n import sensitivity_n
from xaibench.metrics.sic import sic
from xaibench.metrics.srg import srg

COUNT, HEIGHT, WIDTH, CLASSES = 3, 17, 26, 4
SEEDS = [5, 6, 7]


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(4)
    images = torch.rand(COUNT, 3, HEIGHT, WIDTH, generator=generator)
    maps = torch.rand(COUNT, HEIGHT, WIDTH, generator=generator) ** 2
    weights = torch.randn(CLASSES, images[0].numel(), generator=generator) / 8
    targets = torch.tensor([2, 0, 3])

    def predict(seen):
        return (seen.flatten(1) @ weights.to(seen.dtype).T).softmax(dim=1)

    return maps, images, targets, predict(images).gather(1, targets[:, None])[:, 0], predict


def of_target(seen, target, predict):
    return predict(torch.as_tensor(np.asarray(seen), dtype=torch.float32)[None])[0, target].item()


def test_adcc_is_the_harmonic_mean_of_its_parts(case):
    maps, images, targets, confidence, predict = case

    def explain(seen):
        return seen[:, 1] ** 3

    expected = []
    for heat, image, target, before in zip(*case[:4], strict=True):
        kept = image * heat
        drop = max(0, 1 - of_target(kept, target, predict) / before.item())
        r = np.corrcoef(heat.flatten(), explain(kept[None]).flatten())[0, 1]
        parts = np.array([(r + 1) / 2, 1 - heat.mean().item(), 1 - drop])
        expected.append(3 / (1 / parts).sum())
    found = adcc(maps, images, targets, confidence, predict, explain)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    constant = adcc(torch.full_like(maps, 0.5), images, targets, confidence, predict, explain)
    assert constant.tolist() == [0] * COUNT


def test_the_gain_is_a_share_of_what_was_lacking():
    found = average_gain(torch.tensor([0.2, 0.5, 1.0]), lambda *_: torch.tensor([0.6, 0.4, 1.0]))
    np.testing.assert_allclose(found, [0.5, 0, np.nan], rtol=1e-6)


def test_srg_is_the_gap_between_both_orders(case):
    maps, images, targets, _, predict = case
    both = [deletion(each, images, targets, predict, steps=13) for each in (1 - maps, maps)]
    torch.testing.assert_close(srg(maps, images, targets, predict, steps=13), both[0] - both[1])
    assert not srg(torch.full_like(maps, 0.3), images, targets, predict).any()


def test_irof_takes_superpixels_one_by_one(case):
    maps, images, targets, confidence, predict = case
    expected = []
    for row in range(COUNT):
        parts = find_superpixels(images[row], 12).numpy()
        means = [
            maps[row].double().numpy()[parts == part].mean() for part in range(parts.max() + 1)
        ]
        seen, values = images[row].clone(), [1.0]
        for part in np.argsort(-np.array(means), kind="stable"):
            seen[:, parts == part] = images[row].mean(dim=(1, 2))[:, None]
            values.append(of_target(seen, targets[row], predict) / confidence[row].item())
        expected.append(1 - trapezoid(values, dx=1 / (len(values) - 1)))
    found = irof(maps, images, targets, confidence, predict, superpixels=12)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("patch", [1, 5])
def test_sensitivity_n_correlates_sums_and_drops(case, patch):
    maps, images, targets, confidence, predict = case
    rows, columns = -(-HEIGHT // patch), -(-WIDTH // patch)
    stream, told = BatchGenerator(SEEDS), {}
    for _ in range(6):
        drawn = stream.uniform(rows, columns).numpy()
        for row in range(COUNT):
            order = np.argsort(drawn[row], axis=None)
            for fraction in (0.2, 0.6):
                chosen = np.zeros(rows * columns, bool)
                chosen[order[: round(fraction * rows * columns)]] = True
                gone = np.kron(chosen.reshape(rows, columns), np.ones((patch, patch), bool))
                gone = gone[:HEIGHT, :WIDTH]
                left = of_target(images[row].numpy() * ~gone, targets[row], predict)
                pair = (maps[row].numpy()[gone].sum(), confidence[row].item() - left)
                told.setdefault((row, fraction), []).append(pair)
    expected = [np.mean([np.corrcoef(np.array(told[row, f]).T)[0, 1] for f in (0.2, 0.6)])
                for row in range(COUNT)]  # fmt: skip
    found = sensitivity_n(maps, images, targets, confidence, predict, BatchGenerator(SEEDS),
                          fractions=(0.2, 0.6), samples=6, patch=patch)  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-3)
    flat = torch.full_like(maps, 0.4)
    way = {"samples": 3, "patch": patch}
    assert not sensitivity_n(flat * 0, *case[1:], BatchGenerator(SEEDS), **way).any()


def test_f_fidelity_removes_a_bounded_random_part_of_either_side(case):
    maps, images, targets, confidence, predict = case
    pixels = HEIGHT * WIDTH
    counts = []

    def counting(seen):
        counts.append((seen == 0).all(dim=1).sum(dim=(1, 2)).tolist())
        return predict(seen)

    way = {"sizes": (0.1, 0.6), "alpha": 0.5, "beta": 0.2, "samples": 2}
    found = {
        order: f_fidelity(maps, images, targets, confidence, counting, BatchGenerator(SEEDS),
                          order=order, **way) for order in ("plus", "minus", "difference")
    }  # fmt: skip
    torch.testing.assert_close(found["plus"] - found["minus"], found["difference"])
    top = round(0.1 * pixels)
    most = round(0.2 * pixels)
    assert counts[:4] == [[n] * COUNT for n in (round(0.5 * top), most)] * 2
    assert counts[4:6] == [[most] * COUNT, [round(0.5 * (pixels - round(0.6 * pixels)))] * COUNT]
    # All that is marked, and nothing else.
    marked = (maps > 0.4).float()
    size = float(marked[0].mean())
    whole = f_fidelity(marked[:1], images[:1], targets[:1], confidence[:1], predict,
                       BatchGenerator([1]), order="plus", sizes=(size,), alpha=1.0, beta=1.0,
                       samples=1)  # fmt: skip
    left = of_target(images[0] * (1 - marked[0]), targets[0], predict)
    assert whole.item() == pytest.approx(confidence[0].item() - left, abs=1e-5)


def test_random_logit_compares_with_another_class(case):
    maps, images, targets, _, predict = case
    asked = []

    def explain(seen, classes):
        asked.append(classes)
        return seen[:, 0] * (1 + classes[:, None, None]) / CLASSES

    found = random_logit(maps, images, targets, predict, explain, BatchGenerator(SEEDS))
    assert not (asked[0] == targets).any()
    assert (asked[0] >= 0).all()
    assert (asked[0] < CLASSES).all()
    expected = [structural_similarity(ours, theirs, data_range=1.0, win_size=7) for ours, theirs
                in zip(maps.numpy(), explain(images, asked[0]).numpy(), strict=True)]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("metric", [sic, aic])
def test_information_curves_are_drawn_point_by_point(metric, case):
    maps, images, targets, confidence, predict = case
    bare = baseline_of(images, "blur")
    for row in range(COUNT):
        order = np.argsort(-maps[row].numpy(), axis=None, kind="stable")
        steps = []
        for fraction in (0, *FRACTIONS, 1):
            gone = np.ones(HEIGHT * WIDTH, bool)
            gone[order[: round(fraction * HEIGHT * WIDTH)]] = False
            where = torch.from_numpy(gone.reshape(HEIGHT, WIDTH))
            seen = torch.where(where, bare[row], images[row])
            kept = io.BytesIO()
            gray = (seen.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
            Image.fromarray(gray).save(kept, "WEBP", lossless=True, quality=0, method=0)
            answer = predict(seen[None])[0]
            value = min(1, (answer[targets[row]] / confidence[row]).item())
            steps.append(
                (kept.tell(), value if metric is sic else float(answer.argmax() == targets[row]))
            )
        sizes = np.array([size for size, _ in steps], float)
        sizes = ((sizes - sizes[0]) / (sizes[-1] - sizes[0])).clip(0, 1)
        best, area, last = 0.0, 0.0, (0.0, None)
        for at in np.argsort(sizes, kind="stable"):
            best = max(best, steps[at][1])
            area += 0.0 if last[1] is None else (sizes[at] - last[0]) * (best + last[1]) / 2
            last = (sizes[at], best)
        given = (maps, images, targets, confidence, predict) if metric is sic else (
            maps, images, targets, predict)  # fmt: skip
        assert metric(*given)[row].item() == pytest.approx(area, abs=1e-5)
