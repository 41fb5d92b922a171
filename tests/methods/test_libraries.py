"""torchcam's, PAIR's and zennit's own classes by name, against our methods and plain loops."""

import numpy as np
import pytest
import saliency.core
import torch
import torchcam.methods
import zennit.composites
from nets import IMAGES, TARGETS, build, close, question, raw_maps

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind
from xaibench.methods.saliency_lib import _find_classes as classes_of_saliency
from xaibench.methods.torchcam_lib import _find_classes as classes_of_torchcam
from xaibench.methods.zennit_lib import _find_classes as classes_of_zennit
from xaibench.setup.made_from import wrapped_version


def test_torchcams_classes_give_our_maps():
    network = build("small", inplace=False)
    for theirs, ours in {"GradCAM": "gradcam", "LayerCAM": "layercam"}.items():
        found = raw_maps(network, f"torchcam_lib[name={theirs}]", "relu")
        close(found, raw_maps(network, ours, "relu"), atol=1e-4)


def test_pairs_integrated_gradients_are_a_sum_along_the_way():
    network, said = build("small"), []
    for image, target in zip(IMAGES, TARGETS, strict=True):
        total = torch.zeros_like(image)
        for share in np.linspace(0, 1, 5):
            leaf = (share * image[None]).requires_grad_()
            total += torch.autograd.grad(network(leaf)[0, target], leaf)[0][0] / 5
        said.append((total * image).sum(dim=0).abs())
    arguments = "arguments=x_steps:5"
    found = raw_maps(network, f"saliency_lib[name=IntegratedGradients,{arguments}]")
    close(found, torch.stack(said), atol=1e-4)


def test_zennits_guided_backpropagation_is_ours():
    network = build("small", inplace=False)
    ours = question(network).differentiate(IMAGES, guided=True).sum(dim=1)
    close(raw_maps(network, "zennit_lib[name=GuidedBackprop]"), ours, atol=1e-4)


def test_names_are_told_and_versions_count():
    assert {"GradCAM", "ScoreCAM", "SSCAM"} <= classes_of_torchcam(torchcam.methods).keys()
    assert {"XRAI", "BlurIG", "Occlusion"} <= classes_of_saliency(saliency.core).keys()
    assert {"EpsilonPlus", "EpsilonGammaBox"} <= classes_of_zennit(zennit.composites).keys()
    for name in ("torchcam_lib", "saliency_lib", "zennit_lib"):
        library = name.removesuffix("_lib")
        assert wrapped_version(bind("method", name)).startswith(f"{library} ")
        with pytest.raises(XaibenchError, match="there is no class 'Nobody'"):
            xaibench.explain(build("small"), IMAGES, TARGETS, f"{name}[name=Nobody]")
