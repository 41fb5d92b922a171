"""Methods along a way from a baseline, against the authors' library and plain loops."""

from itertools import pairwise

import numpy as np
import pytest
import saliency.core as pair
import torch
from nets import IMAGES, TARGETS, build, close, raw_maps
from scipy.ndimage import gaussian_filter

from xaibench.methods.xrai import rank_regions

KEY = pair.base.INPUT_OUTPUT_GRADIENTS


def gradients_of(network, target):
    """Return what the library calls: images (B, H, W, C) -> gradients of the target's logit."""

    def call(images, call_model_args=None, expected_keys=None):
        given = torch.as_tensor(np.asarray(images)).permute(0, 3, 1, 2).requires_grad_()
        chosen = network(given)[:, target].sum()
        (found,) = torch.autograd.grad(chosen, given)
        return {KEY: found.permute(0, 2, 3, 1).numpy()}

    return call


def theirs(network, explain):
    """Return a map of each image, summed over channels."""
    found = [
        explain(image.permute(1, 2, 0).numpy(), gradients_of(network, int(target)))
        for image, target in zip(IMAGES, TARGETS, strict=True)
    ]
    return torch.as_tensor(np.stack(found)).sum(dim=3).abs()


def test_guided_ig_equals_the_authors():
    network = build("small")
    arguments = "arguments=x_steps:9+fraction:0.3+max_dist:0.1"
    said = raw_maps(network, f"saliency_lib[name=GuidedIG,{arguments}]")
    close(raw_maps(network, "guided_ig[steps=9,fraction=0.3,deviation=0.1]"), said, atol=1e-4)


def test_blur_ig_is_the_sum_over_blurred_images():
    network, said = build("small"), []
    for image, target in zip(IMAGES, TARGETS, strict=True):
        widths = [0.0, 2.0, 4.0, 6.0]
        way = [
            torch.tensor(gaussian_filter(image.numpy(), [0, w, w], mode="constant")) for w in widths
        ]
        total = torch.zeros_like(image)
        for here, blurred in pairwise(way):
            leaf = here[None].clone().requires_grad_()
            (gradient,) = torch.autograd.grad(network(leaf)[0, target], leaf)
            total += gradient[0] * (here - blurred)
        said.append(total.sum(dim=0).abs())
    close(raw_maps(network, "blur_ig[steps=3,sigma=6]"), torch.stack(said))


def test_idgi_shares_each_steps_change_by_squared_gradients():
    network, said, steps = build("small"), [], 4
    for image, target in zip(IMAGES, TARGETS, strict=True):
        total = torch.zeros_like(image)
        for step in range(steps):
            here, there = (image * share / steps for share in (step, step + 1))
            leaf = here[None].clone().requires_grad_()
            logit = network(leaf)[0, target]
            (gradient,) = torch.autograd.grad(logit, leaf)
            change = network(there[None])[0, target].detach() - logit.detach()
            total += gradient[0] ** 2 / (gradient**2).sum() * change
        said.append(total.sum(dim=0).abs())
    close(raw_maps(network, f"idgi[steps={steps}]"), torch.stack(said))


def test_regions_are_ranked_as_the_authors_rank_them():
    draw = np.random.default_rng(0)
    values = draw.normal(size=(17, 23))
    regions = np.zeros((9, 17, 23), bool)
    for region in regions:
        top, left = draw.integers(0, 12, 2)
        region[top : top + draw.integers(3, 9), left : left + draw.integers(3, 12)] = True
    extra = pair.XRAIParameters()
    extra.experimental_params["min_pixel_diff"] = 5
    said = pair.XRAI().GetMask(
        np.zeros((17, 23, 1)), None, segments=list(regions), base_attribution=values[..., None],
        extra_parameters=extra,
    )  # fmt: skip
    np.testing.assert_allclose(rank_regions(values, regions, 5), said, rtol=1e-6)


@pytest.mark.slow
def test_xrai_marks_the_region_that_matters():
    image = torch.full((1, 3, 64, 96), 0.2, dtype=torch.float64)
    image[:, :, 10:40, 50:80] = 0.9
    network = build("small")
    found = raw_maps(network, "xrai[steps=5]", images=image.repeat(3, 1, 1, 1))
    assert found.shape == (3, 64, 96)
    assert len(found[0].unique()) > 1
    assert len(found[0, 20:30, 60:70].unique()) == 1  # one region, one value
