"""Networks of one channel see the luminance; those of n have weights repeated over channels."""

import pytest
import timm
import torch
from torchvision.transforms.functional import rgb_to_grayscale

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.networks.channels import spread
from xaibench.core.registry import bind, plugins
from xaibench.setup.building import ModelWords, build_model

IMAGES = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
NAME = "timm/test_resnet"


def build(options, weights="none", name=NAME):
    torch.manual_seed(0)
    words = ModelWords(("a", "b", "c"), 64, weights)
    return build_model(bind("model", f"{name}[{options}]"), words).eval()


@pytest.fixture(scope="module")
def trained():
    """Networks of timm with the same weights, for one channel and for three."""
    torch.manual_seed(0)
    three = timm.create_model("test_resnet", num_classes=3).eval()
    one = timm.create_model("test_resnet", num_classes=3, in_chans=1).eval()
    state = three.state_dict()
    state["conv1.0.weight"] = timm.models.adapt_input_conv(1, state["conv1.0.weight"])
    one.load_state_dict(state)
    return one, three


def test_it_says_of_the_luminance_what_timms_network_of_one_channel_says(trained, tmp_path):
    one, three = trained
    torch.save(one.state_dict(), tmp_path / "one.pth")
    torch.save(three.state_dict(), tmp_path / "three.pth")
    config = timm.get_pretrained_cfg("test_resnet")
    gray = (rgb_to_grayscale(IMAGES) - sum(config.mean) / 3) / (sum(config.std) / 3)
    models = [
        build(f"channels=1,checkpoint={tmp_path / 'one.pth'}"),
        build("channels=1", str(tmp_path / "three.pth")),
    ]
    with torch.no_grad():
        expected = one(gray)
        for model in models:
            torch.testing.assert_close(model(IMAGES), expected, rtol=1e-3, atol=1e-4)
    maps = xaibench.explain(models[0], IMAGES, 1, ["gradcam", "gradient"])
    assert maps["gradcam"].any()
    assert maps["gradient"].shape == (2, 64, 96)


def test_weights_of_one_channel_are_refused_with_what_to_do(trained, tmp_path):
    torch.save(trained[0].state_dict(), tmp_path / "one.pth")
    with pytest.raises(XaibenchError, match=r"conv1.*reads 1 channels.*channels=1"):
        build(f"checkpoint={tmp_path / 'one.pth'}")
    with pytest.raises(XaibenchError, match=r"test_resnet\[channels=-2\]: give the number"):
        build("backbone=timm/test_resnet,channels=-2", name="saliency_net")


@pytest.mark.slow
def test_every_model_with_a_backbone_sees_the_luminance_alone():
    gray = rgb_to_grayscale(IMAGES).expand(-1, 3, -1, -1)
    takes = [p.name for p in plugins("model").values() if "backbone" in p.options]
    wrong = []
    for name in sorted(
        set(takes) - {"bcos"}
    ):  # which reads six channels: colors and what they lack
        backbone = "squeezenet1_1" if name == "abn" else "timm/test_resnet"
        model = build(f"backbone={backbone},channels=1", name=name)
        with torch.no_grad():
            seen, same = (model.outputs(each, saliency=True) for each in (IMAGES, gray))
        for one, other in zip(seen, same, strict=True):
            if one is not None and not torch.allclose(one, other, rtol=1e-3, atol=1e-4):
                wrong.append(name)
        wrong += [name for each in [next(model.parameters())] if each.shape[1] != 1]
    assert len(takes) > 8
    assert wrong == []


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_weights_are_spread_over_channels_as_timm_does(channels):
    weight = torch.rand(4, 3, 5, 3, generator=torch.Generator().manual_seed(3))
    expected = timm.models.adapt_input_conv(channels, weight)
    torch.testing.assert_close(spread(weight, channels), expected)


def test_a_network_says_of_four_channels_what_timms_rule_makes_of_its_weights(trained, tmp_path):
    torch.save(trained[1].state_dict(), tmp_path / "three.pth")
    four = timm.create_model("test_resnet", num_classes=3, in_chans=4).eval()
    state = trained[1].state_dict()
    state["conv1.0.weight"] = timm.models.adapt_input_conv(4, state["conv1.0.weight"])
    four.load_state_dict(state)
    config = timm.get_pretrained_cfg("test_resnet")
    images = torch.rand(2, 4, 64, 96, generator=torch.Generator().manual_seed(4))
    model = build("channels=4", str(tmp_path / "three.pth"))
    with torch.no_grad():
        expected = four((images - sum(config.mean) / 3) / (sum(config.std) / 3))
        torch.testing.assert_close(model(images), expected, rtol=1e-3, atol=1e-4)
    maps = xaibench.explain(model, images, 1, ["gradcam", "gradient"])
    assert maps["gradcam"].shape == maps["gradient"].shape == (2, 64, 96)
