import pytest
import torch
from torch import nn

from xaibench.core.batch import Batch
from xaibench.core.data import IGNORED
from xaibench.core.errors import XaibenchError
from xaibench.core.maps import resize
from xaibench.core.networks.losses import LOSSES
from xaibench.core.networks.mask_heads import Attention, SaliencyDecoder
from xaibench.core.registry import bind
from xaibench.models.saliency_net import SaliencyNet, saliency_net

CLASSES, CHANNELS = 3, 8
HEIGHT, WIDTH = 40, 56


def build(head="spn", loss="bce", weight=1.0):
    torch.manual_seed(0)
    trunk = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, CHANNELS, 3, stride=2, padding=1),
        nn.ReLU(),
    )
    mask_head = SaliencyDecoder(CHANNELS, 2, "bilinear") if head == "spn" else Attention()
    model = SaliencyNet(
        trunk, mask_head, channels=CHANNELS, classes=CLASSES, loss=loss, weight=weight
    )
    return model.train()


def freeze_statistics(model):
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    return model


def batch_of(masked, images_counted=None, masks_counted=None, rows=slice(None)):
    count = len(masked)
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(count, 3, HEIGHT, WIDTH, generator=generator)
    masks = torch.zeros(count, HEIGHT, WIDTH, dtype=torch.int8)
    for row in range(count):
        masks[row, 3 + row : 20 + row, 10:45] = 1 + row % 3
        masks[row, 25:30, :5] = -1
    seen = torch.tensor(masked)[rows]
    return Batch(
        images=images[rows],
        labels=(torch.arange(count) % CLASSES)[rows],
        masks=masks[rows],
        masked=seen,
        images_counted=images_counted or len(seen),
        masks_counted=masks_counted or max(int(seen.sum()), 1),
    )


def gradients(model, *batches):
    """Return gradients averaged over batches."""
    model.zero_grad()
    for batch in batches:
        (model.loss(batch)["loss"] / len(batches)).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("loss", LOSSES)
def test_localization_loss_is_that_of_the_masked_image_alone(loss):
    model = build(loss=loss).eval()
    batch = batch_of([False, False, True, False])
    with torch.no_grad():
        found = model.loss(batch)
        saliency = model.outputs(batch.images[2:3], saliency=True).saliency
        expected = LOSSES[loss](saliency, (batch.masks[2:3] > 0).float())
    torch.testing.assert_close(found["localization"], expected[0])


def test_grades_of_minus_one_are_background_and_stronger_ones_count_once():
    model = build().eval()
    batch, binary = batch_of([True] * 4), batch_of([True] * 4)
    binary.masks = (binary.masks > 0).to(torch.int8)
    assert torch.equal(model.loss(batch)["localization"], model.loss(binary)["localization"])


def test_total_is_cross_entropy_plus_weighted_localization():
    model = build(weight=0.3).eval()
    batch = batch_of([True, False, True, False])
    losses = model.loss(batch)
    entropy = nn.functional.cross_entropy(model(batch.images), batch.labels)
    torch.testing.assert_close(losses["cross_entropy"], entropy)
    torch.testing.assert_close(losses["loss"], entropy + 0.3 * losses["localization"])


def test_without_masks_the_spn_learns_nothing_and_the_trunk_learns_from_labels_alone():
    model = freeze_statistics(build())
    found = gradients(model, batch_of([False] * 4))
    assert not any(value.any() for name, value in found.items() if name.startswith("mask_head"))
    model.zero_grad()
    batch = batch_of([False] * 4)
    nn.functional.cross_entropy(model(batch.images), batch.labels).backward()
    torch.testing.assert_close(found["trunk.0.weight"], model.trunk[0].weight.grad)
    assert found["trunk.0.weight"].any()


def test_without_masks_every_parameter_still_takes_part_in_the_backward_pass():
    model = build()
    losses = model.loss(batch_of([False] * 4))
    losses["loss"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert losses["localization"].isnan()  # unknown, and not nothing


def test_unmasked_images_give_the_spn_no_gradient():
    model = freeze_statistics(build())
    some = gradients(model, batch_of([False, True, False, True]))
    alone = gradients(model, batch_of([True, True, True, True], rows=slice(1, None, 2)))
    for name in some:
        if name.startswith("mask_head"):
            assert some[name].any()
            torch.testing.assert_close(some[name], alone[name])


@pytest.mark.parametrize(
    "masked", [[True] * 4, [True, True, True, False], [True, True, False, False]]
)
def test_averaged_gradients_of_two_halves_equal_those_of_the_whole(masked):
    model = freeze_statistics(build(weight=2.0))
    whole = gradients(model, batch_of(masked))
    shares = {"images_counted": 4 / 2, "masks_counted": sum(masked) / 2}
    halves = gradients(
        model,
        batch_of(masked, **shares, rows=slice(0, 2)),
        batch_of(masked, **shares, rows=slice(2, 4)),
    )
    for name, value in whole.items():
        torch.testing.assert_close(halves[name], value, msg=name)


def test_masks_may_be_larger_than_the_map():
    model = build("attention").eval()
    batch = batch_of([True] * 4)
    saliency = model.outputs(batch.images, saliency=True).saliency
    assert saliency.shape == (4, 10, 14)
    truth = (batch.masks > 0).float()
    expected = nn.functional.binary_cross_entropy(resize(saliency, (HEIGHT, WIDTH)), truth)
    torch.testing.assert_close(model.loss(batch)["localization"], expected)


def test_attention_multiplies_activations_by_one_plus_the_map():
    model = build("attention").eval()
    images = batch_of([True] * 4).images
    activations = model.trunk(model.normalize(images))
    attention = torch.sigmoid(model.mask_head.conv(activations.mean(dim=1, keepdim=True)))
    expected = model.head((activations * (1 + attention)).mean(dim=(2, 3)))
    outputs = model.outputs(images, saliency=True)
    torch.testing.assert_close(outputs.logits, expected)
    torch.testing.assert_close(outputs.saliency, attention[:, 0])
    assert not torch.allclose(expected, model.head(activations.mean(dim=(2, 3))))


def test_the_spn_is_not_run_unless_it_is_asked_for():
    model = build().eval()
    calls = []
    model.mask_head.register_forward_hook(lambda *_: calls.append(1))
    images = batch_of([True] * 4).images
    outputs = model.outputs(images)
    assert outputs.saliency is None
    assert calls == []
    torch.testing.assert_close(model.outputs(images, saliency=True).logits, outputs.logits)
    assert calls == [1]


def test_after_training_the_map_needs_no_graph_unless_the_logits_depend_on_it():
    images = batch_of([True] * 4).images
    assert build().outputs(images, saliency=True).saliency.requires_grad
    assert not build().eval().outputs(images, saliency=True).saliency.requires_grad
    assert build("attention").eval().outputs(images, saliency=True).saliency.requires_grad


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ("saliency_net[backbone=mobilenet_v3_small]", (64, 96)),
        ("saliency_net[backbone=mobilenet_v3_small,blocks=3]", (16, 24)),
        ("saliency_net[backbone=resnet18,mask_head=attention]", (2, 3)),
        ("saliency_net[backbone=resnet18,mask_head=attention2]", (2, 3)),
        ("saliency_net[backbone=squeezenet1_1,mask_head=rasaee]", (64, 96)),
    ],
)
def test_every_head_stands_on_any_backbone(spec, shape):
    bound = bind("model", spec)
    model = bound.plugin.function(CLASSES, "none", **bound.options).eval()
    with torch.no_grad():
        outputs = model.outputs(torch.rand(2, 3, 64, 96), saliency=True)
    assert outputs.saliency.shape == (2, *shape)
    assert outputs.logits.shape == (2, CLASSES)
    assert {"activations", "gradients", "saliency"} <= model.abilities


def test_the_head_has_two_fully_connected_layers_of_1024_and_k():
    model = saliency_net(5, "none", backbone="resnet18")
    first, _, last = model.head
    assert (first.in_features, first.out_features) == (512, 1024)
    assert (last.in_features, last.out_features) == (1024, 5)
    assert model.training


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"backbone": "resnet19"}, r"'resnet19' is not a backbone \(did you mean 'resnet1[08]'"),
        ({"backbone": "vit_b_16"}, "VisionTransformer can't be cut"),
        ({"blocks": -1}, "can't be negative"),
        ({"weight": -0.5}, "can't be negative"),
        ({"backbone": "resnet18", "mask_head": "rasaee", "blocks": 2}, "3 or 4 blocks, not 2"),
    ],
)
def test_impossible_options_are_refused(options, reason):
    with pytest.raises(XaibenchError, match=reason):
        saliency_net(CLASSES, "none", **options)


def test_unknown_choices_are_refused_with_the_known_ones():
    with pytest.raises(XaibenchError, match="choose one of spn, attention, attention2"):
        bind("model", "saliency_net[mask_head=none]")
    with pytest.raises(XaibenchError, match="choose one of run, l1, l2, ssim, bce, dice"):
        bind("model", "saliency_net[loss=hinge]")


@pytest.mark.parametrize("loss", LOSSES)
def test_pixels_that_annotators_left_open_are_no_background(loss):
    model, batch = build(loss=loss).eval(), batch_of([True, True])
    batch.masks[1, 8:33, 20:50] = IGNORED
    with torch.no_grad():
        found = model.loss(batch)["localization"]
        saliency = model.outputs(batch.images, saliency=True).saliency
        truth, counted = (batch.masks > 0).float(), batch.masks != IGNORED
        expected = LOSSES[loss](saliency, truth, counted).mean()
        wrong = LOSSES[loss](saliency, truth).mean()
    torch.testing.assert_close(found, expected)
    assert abs(found - wrong) > 1e-5
