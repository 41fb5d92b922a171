import logging
import os
import pickle
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.backbone import build_classifier, build_network, cut_trunk
from xaibench.core.networks.known_layers import known_layer
from xaibench.core.passes.head import find_head

CLASSES = 3


def real_weights(name):
    root = os.environ.get("XAIBENCH_DATA")
    file = Path(root, "..", "weights", name) if root else Path(name)
    if not file.is_file():
        pytest.skip(f"needs {name} in $XAIBENCH_DATA/../weights")
    return file


def save(folder, state):
    file = folder / "weights.pt"
    torch.save(state, file)
    return str(file)


def resnet_state():
    torch.manual_seed(0)
    return torchvision.models.resnet18(num_classes=CLASSES).state_dict()


def test_squeezenet_takes_all_imagenet_weights_but_the_head(caplog):
    file = real_weights("squeezenet1_1.pth")
    with caplog.at_level(logging.INFO):
        network = build_network("squeezenet1_1", CLASSES, str(file))
    theirs = torch.load(file, weights_only=True)
    head = {"classifier.1.weight", "classifier.1.bias"}
    loaded = {key for key, value in network.state_dict().items()
              if value.shape == theirs[key].shape and torch.equal(value, theirs[key])}  # fmt: skip
    assert set(theirs) - loaded == head
    left_out, fresh = (record.getMessage() for record in caplog.records)
    assert left_out.endswith("left out, as they don't fit: classifier.1.bias, classifier.1.weight")
    assert fresh.endswith("start from random numbers: classifier.1.bias, classifier.1.weight")


def test_weights_with_another_head_name_each_tensor_left_out(caplog):
    file = real_weights("mobilenet_v3_small_cxr.pth")
    with caplog.at_level(logging.WARNING):
        network = build_network("mobilenet_v3_small", CLASSES, str(file))
    (record,) = caplog.records
    named = record.getMessage().partition("don't fit: ")[2].split(", ")
    assert named == [
        f"classifier.{layer}.{kind}" for layer in (0, 3) for kind in ("bias", "weight")
    ]
    theirs = torch.load(file, weights_only=True)
    assert torch.equal(network.features[0][0].weight, theirs["features.0.0.weight"])
    assert torch.equal(network.features[0][1].running_var, theirs["features.0.1.running_var"])


def test_a_whole_state_dict_is_loaded_bit_by_bit(tmp_path, caplog):
    state = resnet_state()
    with caplog.at_level(logging.INFO):
        network = build_network("resnet18", CLASSES, save(tmp_path, state))
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert caplog.records == []


def test_checkpoints_and_parallel_prefixes_are_unwrapped(tmp_path):
    state = resnet_state()
    wrapped = {"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 3}
    network = build_network("resnet18", CLASSES, save(tmp_path, wrapped))
    assert torch.equal(network.conv1.weight, state["conv1.weight"])


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("write", [torch.save, lambda o, f: f.write_bytes(pickle.dumps(o))])
def test_a_pickle_with_code_is_refused_and_the_code_does_not_run(tmp_path, write):
    file = tmp_path / "evil.pt"
    write({"conv1.weight": Evil(tmp_path / "ran")}, file)
    with pytest.raises(XaibenchError, match=r"evil\.pt: refused, it is no file of torch"):
        build_network("resnet18", CLASSES, str(file))
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_is_named_with_the_other_choices(tmp_path):
    with pytest.raises(XaibenchError, match=r"absent\.pt: no such file \(or choose 'imagenet' or"):
        build_network("resnet18", CLASSES, str(tmp_path / "absent.pt"))


def test_a_truncated_file_is_named(tmp_path):
    file = Path(save(tmp_path, resnet_state()))
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(XaibenchError, match=r"weights\.pt: not a whole file of torch"):
        build_network("resnet18", CLASSES, str(file))


def test_another_architectures_weights_are_refused(tmp_path):
    file = save(tmp_path, torchvision.models.squeezenet1_1().state_dict())
    with pytest.raises(XaibenchError, match=r"none of its 52 tensors fits ResNet; is it another"):
        build_network("resnet18", CLASSES, file)


@pytest.mark.parametrize(
    "content", [[torch.zeros(2)], torch.zeros(2), {"a": 1}, {"state_dict": {"a": "b"}}]
)
def test_a_file_without_state_dict_is_refused(tmp_path, content):
    with pytest.raises(XaibenchError, match="holds no state dict"):
        build_network("resnet18", CLASSES, save(tmp_path, content))


def test_without_a_network_the_message_names_the_other_choices(tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise URLError("unreachable")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    with pytest.raises(XaibenchError, match=r"of resnet18 .*unreachable.*none.*--weights FILE"):
        build_network("resnet18", CLASSES, "imagenet")


@pytest.mark.parametrize(
    ("name", "stride", "channels"),
    [
        ("resnet18", 32, 512),
        ("mobilenet_v3_small", 32, 576),
        ("squeezenet1_1", 16, 512),
        ("densenet121", 32, 1024),
        ("shufflenet_v2_x0_5", 32, 1024),
        ("mnasnet0_5", 32, 1280),
        ("regnet_y_400mf", 32, 440),
    ],
)
def test_a_trunk_ends_with_the_last_spatial_layer(name, stride, channels):
    network = build_network(name, CLASSES, "none").eval()
    trunk = cut_trunk(network).eval()
    images = torch.rand(1, 3, 64, 160)
    seen = []
    hook = network.get_submodule(known_layer(network)).register_forward_hook(
        lambda _, __, output: seen.append(output.clone())
    )
    with torch.no_grad():
        logits = network(images)
        hook.remove()
        torch.testing.assert_close(trunk(images), seen[0])
    assert logits.shape == (1, CLASSES)
    assert seen[0].shape[1] == channels
    assert abs(seen[0].shape[3] - 160 / stride) <= 1


@pytest.mark.parametrize("name", ["resnet", "no_such_net", "fcn_resnet50"])
def test_other_names_are_no_backbones(name):
    with pytest.raises(XaibenchError, match=f"'{name}' is not a backbone"):
        build_network(name, CLASSES, "none")


@pytest.mark.slow
def test_a_transformer_is_not_cut():
    with pytest.raises(XaibenchError, match="VisionTransformer can't be cut"):
        cut_trunk(build_network("vit_b_32", CLASSES, "none"))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "linear"), [("resnet18", True), ("squeezenet1_1", False)])
def test_class_weights_exist_where_only_pooling_stands_before_the_last_layer(name, linear):
    model = build_classifier(name, CLASSES, "none").eval()
    assert (find_head(model, torch.rand(1, 3, 64, 96)).weights is not None) == linear


@pytest.mark.slow
def test_class_weights_and_pooled_activations_give_the_logits():
    model = build_classifier("resnet18", CLASSES, "none").eval()
    images = torch.rand(2, 3, 64, 96)
    seen = []
    model.network.layer4.register_forward_hook(lambda _, __, output: seen.append(output.clone()))
    weights = find_head(model, images).weights
    seen.clear()
    with torch.no_grad():
        logits = model(images)
        by_hand = seen[0].mean(dim=(2, 3)) @ weights.T + model.network.fc.bias
    torch.testing.assert_close(logits, by_hand)


def test_mobilenets_hidden_layer_leaves_no_class_weights():
    model = build_classifier("mobilenet_v3_small", CLASSES, "none").eval()
    assert find_head(model, torch.rand(1, 3, 64, 96)).weights is None
    assert [tuple(p.shape) for p in model.new_parameters()] == [(CLASSES, 1024), (CLASSES,)]
