"""Checkpoints as Lightning, DDP, torch.compile and others write them: evaluated as they are."""

import json
from argparse import Namespace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.backbone import build_network
from xaibench.core.registry import bind
from xaibench.setup.building import ModelWords, build_model
from xaibench.setup.options import make_options

CLASSES = ("benign", "malignant", "normal")
NAME, SIZE = "timm/test_resnet", 64
IMAGES = torch.rand(2, 3, SIZE, 48, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = build_network(NAME, 3, "none")
    with torch.no_grad():
        made.train()(torch.rand(4, 3, SIZE, SIZE))
    return made.eval()


def build(options, classes=CLASSES):
    words = ModelWords(classes, SIZE, "imagenet")  # which nobody asks for
    return build_model(bind("model", f"{NAME}[{options}]"), words).eval()


class Lightning(nn.Module):
    """As a LightningModule holds a network, beside its loss."""

    def __init__(self, network):
        super().__init__()
        self.model, self.criterion = network, nn.CrossEntropyLoss(weight=torch.ones(3))

    def checkpoint(self, **told):
        return {
            "epoch": 3, "global_step": 40, "pytorch-lightning_version": "2.4.0",
            "state_dict": self.state_dict(), "callbacks": {}, "lr_schedulers": [],
            "optimizer_states": [torch.optim.Adam(self.parameters()).state_dict()],
            "hyper_parameters": {"lr": 1e-3, **told},
        }  # fmt: skip


@pytest.mark.slow
def test_weights_are_found_whatever_training_wrapped_around_them(network, tmp_path):
    averaged = AveragedModel(network)
    files = {
        "plain.pth": network.state_dict(),
        "lightning.ckpt": Lightning(network).checkpoint(),
        "parallel.pt": {"model": nn.DataParallel(network).state_dict(), "epoch": 2},
        "compiled.pth": torch.compile(network).state_dict(),
        "both.pth": nn.DataParallel(torch.compile(network)).state_dict(),
        "compiled.ckpt": Lightning(torch.compile(network)).checkpoint(),
        "averaged.pth": averaged.state_dict(),
    }
    for file, content in files.items():
        torch.save(content, tmp_path / file)
    save_file(network.state_dict(), tmp_path / "plain.safetensors")
    expected = network.state_dict()
    for file in (*files, "plain.safetensors"):
        model = build(f"checkpoint={tmp_path / file}")
        assert model.trained, file
        found = model.network.state_dict()
        wrong = [key for key, value in expected.items() if not value.equal(found[key])]
        assert not wrong, file


def test_outputs_stand_in_the_order_of_the_datasets_classes(network, tmp_path):
    order = ["normal", "benign", "malignant"]
    torch.save(Lightning(network).checkpoint(class_names=order), tmp_path / "a.ckpt")
    told = {"state_dict": network.state_dict(), "class_to_idx": {n: i for i, n in enumerate(order)}}
    torch.save(told, tmp_path / "b.pth")
    save_file(network.state_dict(), tmp_path / "c.safetensors", {"classes": json.dumps(order)})
    save_file(network.state_dict(), tmp_path / "e.safetensors", {"classes": ",".join(order)})
    told = {"state_dict": network.state_dict(), "args": Namespace(lr=0.1, class_names=order)}
    torch.save(told, tmp_path / "f.pth")  # as timm's training script leaves it
    torch.save(network.state_dict(), tmp_path / "d.pth")
    files = ("a.ckpt", "b.pth", "c.safetensors", "e.safetensors", "f.pth")
    models = [build(f"checkpoint={tmp_path / file}") for file in files]
    models.append(build(f"checkpoint={tmp_path / 'd.pth'},class_order=normal+benign+malignant"))
    with torch.no_grad():
        theirs = network(models[0].normalize(IMAGES))
        for model in models:
            torch.testing.assert_close(model(IMAGES), theirs[:, [1, 2, 0]])
        torch.testing.assert_close(build(f"checkpoint={tmp_path / 'd.pth'}")(IMAGES), theirs)


def test_what_is_no_such_checkpoint_is_refused_with_what_to_do(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "w.pth")
    torch.save({"class_names": ["a", "b", "c"], "model": network.state_dict()}, tmp_path / "n.pth")
    torch.save({"model": network}, tmp_path / "pickled.pth")
    torch.jit.script(nn.Sequential(nn.Linear(3, 3))).save(tmp_path / "script.pt")
    (tmp_path / "cut.safetensors").write_bytes(b"123456789")
    torch.save(nn.Linear(3, 3).state_dict(), tmp_path / "other.pth")
    cases = {
        "missing.pth": "no such file",
        "pickled.pth": r"may be code; save it with torch\.save\(model\.state_dict\(\), FILE\)",
        "script.pt": r"a TorchScript.*torch\.jit\.load\(FILE\)\.state_dict\(\)",
        "cut.safetensors": "not a whole file of safetensors",
        "other.pth": "not the whole state dict of this network",
        "n.pth": r"its outputs are a, b, c.*\[class_order=benign\+malignant\+normal\]",
    }
    for file, words in cases.items():
        with pytest.raises(XaibenchError, match=words):
            build(f"checkpoint={tmp_path / file}")
    with pytest.raises(XaibenchError, match=r"has 3 classes.* has 2 .*--weights"):
        build(f"checkpoint={tmp_path / 'w.pth'}", ("a", "b"))


def test_a_run_takes_one_checkpoint_and_trains_nothing():
    given = {"checkpoint": "my file.ckpt", "train": False, "models": "resnet18[dropout=0.1]"}
    options = make_options(given, {})
    assert options.models == ("resnet18[dropout=0.1,checkpoint=my file.ckpt]",)
    assert bind("model", options.models[0]).options["checkpoint"] == "my file.ckpt"
    with pytest.raises(XaibenchError, match="goes with --no-train; to train on from it"):
        make_options(given | {"train": True}, {})
    with pytest.raises(XaibenchError, match="which of resnet18, resnet50 is it"):
        make_options(given | {"models": "resnet18,resnet50"}, {})


@pytest.mark.slow
def test_first_weights_may_be_a_checkpoint_too_and_others_are_refused_with_a_way(network, tmp_path):
    torch.save(Lightning(network).checkpoint(), tmp_path / "a.ckpt")
    found = build_network(NAME, 5, str(tmp_path / "a.ckpt")).state_dict()
    same = {key for key, value in network.state_dict().items() if value.equal(found[key])}
    assert set(found) - same == {"fc.weight", "fc.bias"}
    with pytest.raises(XaibenchError, match=r"first tensors are model\.conv1.*name the model that"):
        build_network("vgg11", 3, str(tmp_path / "a.ckpt"))
    # All that fits are counts of batches.
    with pytest.raises(XaibenchError, match=r"none of its .* tensors fits EfficientNet"):
        build_network("timm/test_efficientnet", 3, str(tmp_path / "a.ckpt"))
    with pytest.raises(XaibenchError, match=r"class_order tells .*; give checkpoint=FILE as well"):
        build("class_order=normal+benign+malignant")
