"""Networks by name, the smallest of each library: timm/NAME, hf/NAME, torchvision's bare ones."""

import json
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from xaibench.core.batch import Batch
from xaibench.core.errors import XaibenchError
from xaibench.core.networks.backbone import build_network, normalization
from xaibench.core.networks.weights import read_weights
from xaibench.core.passes.layers import cam_layer_of
from xaibench.core.reading.images import read_image
from xaibench.core.registry import bind, find_plugin
from xaibench.setup.building import ModelWords, build_model
from xaibench.training.optimize import make_optimizer

timm = pytest.importorskip("timm")
transformers = pytest.importorskip("transformers")
SIZE = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small ViT in the layout of Hugging Face, normalized in a way of its own."""
    place = tmp_path_factory.mktemp("hub") / "tiny-vit"
    torch.manual_seed(3)
    config = transformers.ViTConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        image_size=SIZE, patch_size=16, num_labels=7,
    )  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained(place)
    said = {"do_normalize": True, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (place / "preprocessor_config.json").write_text(json.dumps(said))
    return place


def build(spec, weights="none", size=SIZE):
    torch.manual_seed(0)
    return build_model(bind("model", spec), ModelWords(tuple("abc"), size, weights))


def specs(folder):
    return {
        "timm, convolutions": "timm/test_resnet",
        "timm, one size": "timm/test_vit",
        "hf": f"hf/{folder}",
        "torchvision": "shufflenet_v2_x0_5",
    }


def batch(classes=3):
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(4, 3, SIZE, SIZE, generator=generator)
    masks = torch.zeros(4, SIZE, SIZE, dtype=torch.int8)
    masks[:2, 10:30, 20:50] = 1
    return Batch(images, torch.arange(4) % classes, masks, torch.arange(4) < 2, 4, 2)


@pytest.mark.parametrize("kind", ["timm, convolutions", "timm, one size", "hf", "torchvision"])
def test_a_frozen_network_of_each_library_learns_its_head_alone(kind, folder):
    spec = f"{specs(folder)[kind]}[frozen=true,hidden=9,dropout=0.2]"
    model = build(spec)
    assert bind("model", spec).spec == f"{specs(folder)[kind]}[dropout=0.2,frozen=true,hidden=9]"
    assert [type(part) for part in model.head[1:3]] == [nn.Linear, nn.ReLU]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = make_optimizer("sgd", model.train(), 0.1)
    model.loss(batch())["loss"].backward()
    optimizer.step()
    head = f"network.{model._head}."
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        f"{head}{part}.{kind}" for part in (1, 4) for kind in ("weight", "bias")
    }
    # Batch norms' statistics are in the state dict as well.
    changed = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert changed
    assert all(name.startswith(head) for name in changed)
    assert model.eval()(batch().images).shape == (4, 3)
    assert cam_layer_of(model, batch().images).shape[1] > 1


def test_pixels_are_normalized_as_the_configuration_says(folder):
    assert normalization("timm/tf_efficientnet_lite0") == {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    assert normalization("timm/eva02_tiny_patch14_224")["mean"][0] == 0.48145466  # CLIP's
    assert normalization(f"hf/{folder}") == {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}
    assert normalization("efficientnet_v2_l")["std"] == (0.5,) * 3
    model = build(f"hf/{folder}", "imagenet").eval()
    images = batch().images
    theirs = transformers.ViTForImageClassification.from_pretrained(folder).eval()
    theirs.classifier = model.network.classifier
    shift, scale = (
        torch.tensor(each).view(-1, 1, 1) for each in ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    )
    with torch.no_grad():
        torch.testing.assert_close(model(images), theirs((images - shift) / scale).logits)


def test_a_names_weights_may_come_from_a_file(tmp_path):
    torch.manual_seed(1)
    theirs = timm.create_model("test_resnet", num_classes=5)
    torch.save(theirs.state_dict(), tmp_path / "w.pt")
    ours = build("timm/test_resnet", str(tmp_path / "w.pt")).network
    own = theirs.state_dict()
    assert {name for name, value in ours.state_dict().items() if not value.equal(own[name])
            } == {"fc.weight", "fc.bias"}  # fmt: skip


@pytest.mark.parametrize("spec", [
    "saliency_net[backbone=timm/test_resnet]",
    "saliency_net[backbone=timm/test_efficientnet,mask_head=unet]",
    "saliency_net[backbone=timm/test_resnet,mask_head=attention]",
    "unet[backbone=timm/test_resnet]", "fcn8[backbone=timm/test_resnet]",
    "same_head[backbone=timm/test_resnet]",
])  # fmt: skip
def test_a_backbone_of_timm_is_learned_as_a_whole(spec):
    model = build(spec).train()
    model.loss(batch())["loss"].backward()
    # A parameter without a gradient stops a training by several processes.
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_levels_of_a_backbone_are_those_that_timm_gives(tmp_path):
    theirs = timm.create_model("test_resnet", features_only=True).eval()
    whole = timm.create_model("test_resnet", num_classes=3).eval()
    whole.load_state_dict(theirs.state_dict(), strict=False)
    torch.save(whole.state_dict(), tmp_path / "w.pt")
    model = build("unet[backbone=timm/test_resnet]", str(tmp_path / "w.pt")).eval()
    images = batch().images[:, :, :, :48]
    with torch.no_grad():
        for one, other in zip(model.trunk.levels(images), theirs(images)[-4:], strict=True):
            torch.testing.assert_close(one, other)


def test_a_misspelt_name_is_refused_with_a_near_one():
    for name, near in (("timm/test_resent", "timm/test_resnet"), ("convnext_tin", "convnext_tiny")):
        with pytest.raises(XaibenchError, match=f"no model '{name}' .did you mean '{near}'"):
            bind("model", name)
    with pytest.raises(
        XaibenchError, match=r"'resnet_18' is not a backbone.*did you mean 'resnet18'"
    ):
        build_network("resnet_18", 3, "none")
    assert find_plugin("model", "timm/") is None
    assert find_plugin("model", "timm/vit_tiny_patch16_224.augreg_in21k").member.endswith("in21k")


def test_offline_weights_are_refused_with_the_other_choices(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        XaibenchError, match=r"of timm/test_vit could not be fetched.*--weights none.*FILE"
    ):
        read_weights("timm/test_vit", "imagenet")
    with pytest.raises(XaibenchError, match=r"hf/nobody/nothing: .*could not be read.*timm/NAME"):
        build("hf/nobody/nothing")


def test_pickled_weights_and_code_of_others_are_refused(folder, tmp_path):
    place = tmp_path / "pickled"
    place.mkdir()
    for file in ("config.json", "preprocessor_config.json"):
        (place / file).write_text((folder / file).read_text())
    torch.save({"classifier.bias": torch.zeros(7)}, place / "pytorch_model.bin")
    with pytest.raises(XaibenchError, match=r"model\.safetensors could not be read in this folder"):
        build(f"hf/{place}", "imagenet")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.C",
               "AutoModelForImageClassification": "own.M"}}  # fmt: skip
    (place / "config.json").write_text(json.dumps(config))
    (place / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(XaibenchError, match=r"config\.json could not be read in this folder"):
        build(f"hf/{place}")
    assert not (tmp_path / "ran").exists()


def real_weights():
    file = Path(os.environ.get("XAIBENCH_DATA", ""), "../weights/tf_efficientnet_lite0.pth")
    return (
        file if file.is_file() else pytest.skip(f"needs {file.name} in $XAIBENCH_DATA/../weights")
    )


def test_real_weights_fit_and_tell_cats_from_dogs():
    network = timm.create_model("tf_efficientnet_lite0").eval()
    network.load_state_dict(read_weights("timm/tf_efficientnet_lite0", str(real_weights())))
    photos = Path(os.environ["XAIBENCH_DATA"], "dogs-vs-cats/train")
    files = [next(iter(sorted(photos.glob(f"{kind}.*.jpg")))) for kind in ("cat", "dog")]
    pictures = [torch.tensor(read_image(file)).permute(2, 0, 1) / 255 for file in files]
    pictures = [
        nn.functional.interpolate(each[None], (224, 224), mode="bicubic") for each in pictures
    ]
    norm = normalization("timm/tf_efficientnet_lite0")
    with torch.no_grad():
        cat, dog = network((torch.cat(pictures) - norm["mean"][0]) / norm["std"][0]).argmax(dim=1)
    assert 281 <= cat <= 285
    assert 151 <= dog <= 268


@pytest.mark.slow
@pytest.mark.parametrize("name", [
    "efficientnet_b0", "swin_t", "convnext_tiny", "maxvit_t", "regnet_y_400mf", "vit_b_16",
    "timm/convnext_atto", "timm/swin_tiny_patch4_window7_224", "timm/mobilenetv4_conv_small",
    "timm/efficientvit_b0", "timm/deit_tiny_distilled_patch16_224", "timm/levit_128s",
    "timm/xcit_nano_12_p16_224", "timm/mixer_s32_224", "timm/vgg11", "timm/repvgg_a0",
])  # fmt: skip
def test_networks_of_all_kinds_take_new_classes(name):
    model = build(name, size=224).eval()
    assert model(torch.rand(2, 3, 224, 224)).shape == (2, 3)
