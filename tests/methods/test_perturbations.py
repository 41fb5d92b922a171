"""Methods that change images or activations and look again, against captum and plain loops."""

import math
from itertools import product

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from captum.attr import Occlusion
from nets import CLASSES, IMAGES, SEEDS, SIZE, TARGETS, build, close, raw_maps, stretched
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from scipy.ndimage import gaussian_filter
from torch import nn
from torch.nn import functional

from xaibench import Explainer
from xaibench.core.baselines import baseline_of
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.head import find_head
from xaibench.core.passes.question import Question
from xaibench.core.passes.tape import Tape
from xaibench.core.registry import bind
from xaibench.core.seeds import BatchGenerator
from xaibench.core.superpixels import find_superpixels
from xaibench.explaining.inputs import wrap


@torch.no_grad()
def logits_of(network, images, row):
    return network(images)[:, TARGETS[row]]


@pytest.mark.parametrize(("window", "stride"), [(16, 16), (16, 8), (32, 16)])
@pytest.mark.parametrize("kind", ["black", "mean"])
def test_occlusion_equals_captums_where_the_windows_fit(window, stride, kind):
    network = build("small")
    start = baseline_of(IMAGES, kind)
    theirs = Occlusion(network).attribute(
        IMAGES, (3, window, window), (3, stride, stride), start, TARGETS, perturbations_per_eval=16
    )
    spec = f"occlusion[window={window},stride={stride},baseline={kind}]"
    close(raw_maps(network, spec), theirs[:, 0])


@pytest.mark.parametrize("window", [15, 30, 45])
def test_occlusion_averages_the_drop_over_windows_of_which_the_last_end_at_the_border(window):
    network, expected = build("small"), []
    for row, image in enumerate(IMAGES):
        total, count = torch.zeros(SIZE), torch.zeros(SIZE)
        whole = logits_of(network, image[None], row)
        tops, lefts = (
            {*range(0, length - window, window // 2), length - window} for length in SIZE
        )
        for top, left in product(tops, lefts):
            mask = torch.zeros(SIZE)
            mask[top : top + window, left : left + window] = 1
            total += mask * (whole - logits_of(network, image[None] * (1 - mask), row))
            count += mask
        assert count.min() > 0
        expected.append(total / count)
    close(raw_maps(network, f"occlusion[window={window}]"), torch.stack(expected))


@pytest.mark.parametrize("options", ["window=65", "window=-1", "stride=31", "stride=-1"])
def test_windows_that_do_not_fit_are_refused(options):
    with pytest.raises(XaibenchError, match="must fit into the image"):
        raw_maps(build("small"), f"occlusion[{options}]")


def test_baselines():
    assert not baseline_of(IMAGES, "black").any()
    means = baseline_of(IMAGES, "mean")
    np.testing.assert_allclose(means[1, 2], np.full(SIZE, IMAGES[1, 2].mean()), rtol=1e-6)
    for ours, image in zip(
        baseline_of(IMAGES, "blur").flatten(0, 1), IMAGES.flatten(0, 1), strict=True
    ):
        theirs = gaussian_filter(image.double().numpy(), 6.4, mode="mirror", radius=12)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=3e-6)


class Tilted(nn.Module):
    """One logit, of class 1, that weighs the pixels of a picture wider than tall."""

    weights = torch.tensor([[4.0, -2.0, 0.0], [-8.0, 2.0, 6.0]], dtype=torch.float64)

    def forward(self, images):
        return (images[:, 0] * self.weights).sum(dim=(1, 2))[:, None]


@pytest.mark.parametrize("window", [1, 2])
def test_occlusion_keeps_one_part_of_what_a_window_takes_from_the_logit(window):
    # Windows of one pixel take its weight: covering what is negative lets the logit rise. Two
    # windows of 2 x 2 take -4 on the left and 6 on the right; the middle column has both.
    signed = Tilted.weights if window == 1 else torch.tensor([[-4.0, 1.0, 6.0]] * 2).double()
    image, only = torch.ones(1, 3, 2, 3, dtype=torch.float64), torch.tensor([0])
    engine = Engine(wrap(Tilted(), image), fold=False, full_blocks=False)
    expected = {
        "": signed,
        ",part=absolute": signed.abs(),
        ",part=positive": signed.relu(),
        ",part=negative": (-signed).relu(),
    }
    for part, values in expected.items():
        method = bind("method", f"occlusion[window={window}{part}]")
        found = method(Question(Tape(engine, image, {"logits"}), only, only + 1, [0]))
        torch.testing.assert_close(found, values[None], rtol=0, atol=1e-12)


def rise_masks(row, count, cells, keep):
    """Masks one by one, each enlarged by hand: between cells' centers the way is straight."""
    generator = BatchGenerator(SEEDS)
    grids = (generator.uniform(count, cells + 1, cells + 1)[row] < keep).double().numpy()
    shifts = generator.uniform(count, 2)[row].double().numpy()
    steps = [math.ceil(length / cells) for length in SIZE]
    for grid, shift in zip(grids, shifts, strict=True):
        mask = grid
        for axis, (step, length) in enumerate(zip(steps, SIZE, strict=True)):
            places = (np.arange(length) + int(shift[axis] * step) + 0.5) / step - 0.5
            mask = np.apply_along_axis(
                lambda line, places=places: np.interp(places, range(cells + 1), line), axis, mask
            )
        yield torch.from_numpy(mask)


@pytest.mark.slow
def test_rise_weighs_each_mask_by_the_confidence_in_what_it_leaves():
    network, keep, expected = build("small"), 0.4, []
    for row, image in enumerate(IMAGES):
        masks = torch.stack(list(rise_masks(row, 150, 5, keep)))
        assert masks.min() >= 0
        assert masks.max() <= 1
        with torch.no_grad():
            confidences = network(image * masks[:, None]).softmax(dim=1)[:, TARGETS[row]]
        expected.append(torch.einsum("n,nhw->hw", confidences, masks) / (150 * keep))
    close(raw_maps(network, f"rise[masks=150,cells=5,keep={keep}]"), torch.stack(expected))


class Indifferent(nn.Module):
    """A quarter for each class, whatever the image."""

    def forward(self, images):
        return images.new_zeros(len(images), CLASSES)


@pytest.mark.slow
def test_rises_masks_keep_every_place_equally_often():
    # With the same confidence for each mask the map is the masks' mean by keep.
    means = CLASSES * raw_maps(Indifferent(), "rise[masks=3000,keep=0.3]", images=IMAGES[:1])
    assert abs(float(means.mean()) - 1) < 0.02
    assert float((means - 1).abs().max()) < 0.15


def test_kernel_shap_equals_the_shapley_values_of_superpixels():
    network, expected = build("small"), []
    fill = baseline_of(IMAGES, "blur")
    for row, image in enumerate(IMAGES):
        labels = find_superpixels(image, 9)
        players = int(labels.max()) + 1
        assert 2 < players < 10
        kept = torch.arange(2**players)[:, None] >> torch.arange(players) & 1
        copies = torch.where(kept[:, labels][:, None] > 0, image, fill[row])
        worth = logits_of(network, copies, row)
        values = torch.zeros(players)
        for number, inside in enumerate(kept):
            chance = 1 / (players - inside.sum()) / math.comb(players, int(inside.sum()))
            for player in (inside == 0).nonzero()[:, 0].tolist():
                values[player] += chance * (worth[number + 2**player] - worth[number])
        expected.append(values[labels])
    found = raw_maps(network, "kernel_shap[segments=9,samples=512,baseline=blur]")
    close(found, torch.stack(expected))


@pytest.mark.parametrize("align_corners", [False, True])
def test_scorecam_equals_a_loop_over_channels_those_without_activation_too(align_corners):
    network = build("small")
    network.features[3].bias.data[[0, 3, 4]] = -50.0  # they never fire
    activations = network.relu(network.features(IMAGES)).detach()
    assert not activations[:, [0, 3, 4]].any()
    expected = []
    for image, maps, target in zip(IMAGES, activations, TARGETS, strict=True):
        scores = []
        for single in maps:
            wide = functional.interpolate(
                single[None, None], (64, 96), mode="bilinear", align_corners=align_corners
            )[0, 0]
            span = wide.max() - wide.min()
            wide = (wide - wide.min()) / span if span > 0 else torch.zeros_like(wide)
            scores.append(network((image * wide)[None])[0, target].detach())
        weights = torch.stack(scores).softmax(dim=0)
        expected.append((weights[:, None, None] * maps).sum(dim=0).relu())
    seen = []
    network.features.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    found = raw_maps(network, f"scorecam[align_corners={str(align_corners).lower()}]", "relu")
    close(stretched(found), stretched(torch.stack(expected)))
    asked = seen[seen.index(len(IMAGES)) :]  # behind the trials, of one and two images
    assert sum(asked) == len(IMAGES) + int(activations.flatten(2).any(dim=2).sum())


def library_maps(name, network):
    with getattr(pytorch_grad_cam, name)(network, [network.relu]) as peer:
        return torch.from_numpy(peer(IMAGES, [ClassifierOutputTarget(int(t)) for t in TARGETS]))


def test_scorecam_with_aligned_corners_equals_the_librarys():
    network = build("small", inplace=False)
    specs = ["scorecam[align_corners=true]", "scorecam"]
    found = Explainer(network, layer="relu", fold=False)(IMAGES, TARGETS, specs)
    theirs = library_maps("ScoreCAM", network)
    close(found[specs[0]], theirs)
    assert (found[specs[1]] - theirs).abs().max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "layer", "pooled", "linear"),
    [
        ("small", "relu", True, True),
        ("mobilenet_v3_small", "features", True, False),
        ("squeezenet1_1", "features", False, False),
        ("small", "features", False, False),
    ],
)
def test_ablationcam_equals_a_loop_over_channels(kind, layer, pooled, linear):
    network = build(kind)
    head = find_head(wrap(network, IMAGES, layer).eval(), IMAGES)
    assert (head.pooled, head.weights is not None) == (pooled, linear)
    found, expected = raw_maps(network, "ablationcam", layer), []
    network = build(kind, inplace=False).double()
    part = network.get_submodule(layer)
    for image, target in zip(IMAGES.double(), TARGETS, strict=True):
        activations, logits = look_without(network, part, image, None)
        _, without = look_without(network, part, image, torch.eye(activations.shape[1]))
        drops = (logits - without)[:, target]
        expected.append(torch.einsum("d,dhw->hw", drops, activations[0]).relu())
    # Drops are small differences of logits, which float32 rounds.
    close(found, torch.stack(expected), atol=1e-4)


@torch.no_grad()
def look_without(network, part, image, channels):
    """Return a layer's output and the logits, one channel less in each row."""
    seen = []

    def ablate(_, __, output):
        seen.append(output)
        return None if channels is None else output * (1 - channels[:, :, None, None])

    handle = part.register_forward_hook(ablate)
    logits = network(image[None])
    handle.remove()
    return seen[0], logits


@pytest.mark.parametrize("layer", ["relu", "features"])
def test_no_shift_of_the_bias_moves_ablationcam(layer):
    network = build("small")
    before = raw_maps(network, "ablationcam", layer)
    network.classifier.bias.data -= 2
    assert (network(IMAGES) < 0).all()
    close(raw_maps(network, "ablationcam", layer), before)


@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_the_librarys_ablationcam_is_the_same_only_where_the_logit_is_positive(shift):
    network = build("small", inplace=False)
    found = Explainer(network, layer="relu", fold=False)(IMAGES, TARGETS, "ablationcam")
    logits = network(IMAGES).detach().gather(1, TARGETS[:, None])
    network.classifier.bias.data += shift - (logits.amin() if shift > 0 else logits.amax())
    theirs = library_maps("AblationCAM", network)
    if shift > 0:
        close(found["ablationcam"], theirs)
    else:
        assert np.corrcoef(found["ablationcam"].flatten(), theirs.flatten())[0, 1] < 0
