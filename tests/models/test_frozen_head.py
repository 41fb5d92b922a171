import torch
from torch import nn
from training_data import NAMES, batch_of

from xaibench.core.batch import cross_entropy
from xaibench.core.networks.pyramid import Pyramid
from xaibench.models.frozen_head import FrozenHead, frozen_head

CLASSES = len(NAMES)


def build():
    torch.manual_seed(0)
    stage = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4, padding=1), nn.BatchNorm2d(6), nn.ReLU())
    return FrozenHead(Pyramid(stage), channels=6, classes=CLASSES)


def test_the_foreground_is_to_show_the_class_and_the_background_not_to():
    model, batch = build(), batch_of([False] * 2)
    activations = model.trunk(model.normalize(batch.images))
    shares = model.tell_apart(activations)
    expected = cross_entropy(model.head(activations.mean(dim=(2, 3))), batch)
    for row, label in enumerate(batch.labels.tolist()):
        averages = [
            (share.flatten() * activations[row].flatten(1)).sum(dim=1) / share.sum()
            for share in shares[row, :2]
        ]
        inside, outside = (model.judge(each).softmax(dim=0)[label] for each in averages)
        expected = expected - (inside.log() + (1 - outside).log()) / 2
    torch.testing.assert_close(model.loss(batch)["loss"], expected, rtol=1e-4, atol=1e-5)
    saliency = model.outputs(batch.images, saliency=True).saliency
    assert torch.equal(saliency, shares[:, 0])


def test_the_heads_alone_learn():
    model, batch = build().train(), batch_of([True, True])
    before = {name: value.clone() for name, value in model.trunk.state_dict().items()}
    model.loss(batch)["loss"].backward()
    learned = {name for name, p in model.named_parameters() if p.grad is not None}
    assert learned == {name for name, _ in model.named_parameters() if "trunk" not in name}
    assert len(learned) == len(model.new_parameters())
    for name, value in model.trunk.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_transformer_is_built_for_the_images_size():
    model = frozen_head(2, "none", 32, backbone="timm/vit_tiny_patch16_224").eval()
    outputs = model.outputs(torch.rand(1, 3, 32, 32), saliency=True)
    assert outputs.saliency.shape == (1, 2, 2)
    assert model.supervision.kind == "labels"
