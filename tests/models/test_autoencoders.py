import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from training_data import NAMES, batch_of, gradients

from xaibench.core.errors import XaibenchError
from xaibench.core.networks.coders import Encoder
from xaibench.core.registry import bind

ALL = ("autoencoder", "denoising_autoencoder", "vae", "modified_vae")
CONVOLUTIONAL = tuple(name for name in ALL if name != "denoising_autoencoder")
VARIATIONAL = ("vae", "modified_vae")
SIDE = 16


def build(spec, side=SIDE):
    torch.manual_seed(0)
    return bind("model", spec)(SimpleNamespace(class_names=NAMES, image_size=side))


def batch(*labels, **options):
    return batch_of([False] * len(labels), labels=labels, size=(SIDE, SIDE), **options)


def entropy(drawn, images):
    """Return each image's mean cross-entropy of its pixels, from probabilities."""
    each = -images * drawn.log() - (1 - images) * (1 - drawn).log()
    return each.flatten(1).mean(dim=1)


@pytest.mark.parametrize("name", ALL)
def test_it_draws_what_it_saw_and_its_code_is_its_embedding(name):
    model, images = build(f"{name}[latent=7]").eval(), batch(0, 1).images
    outputs = model.outputs(images)
    assert outputs.reconstruction.shape == images.shape
    assert 0 < outputs.reconstruction.min() < outputs.reconstruction.max() < 1
    assert outputs.logits.shape == (2, 0)
    assert model.embed(images).shape == (2, 7)
    assert (model.classifies, model.cam_layer) == (False, None)
    assert model.abilities == {"reconstruction"}
    assert torch.equal(model.outputs(images).reconstruction, outputs.reconstruction)
    assert model.loss(batch(0, 1))["loss"] == model.loss(batch(0, 1))["loss"]


@pytest.mark.parametrize("name", CONVOLUTIONAL)
@pytest.mark.parametrize("size", [(SIDE, SIDE), (37, 90), (5, 3)])
def test_convolutional_ones_take_any_size(name, size):
    images = torch.rand(2, 3, *size)
    assert build(name).eval().outputs(images).reconstruction.shape == images.shape


@pytest.mark.parametrize(("side", "halvings"), [(8, 1), (28, 3), (32, 3), (64, 4), (224, 6)])
def test_the_encoder_halves_until_few_places_are_left(side, halvings):
    convolutions = [part for part in Encoder(side, 2) if isinstance(part, nn.Conv2d)]
    assert len(convolutions) == halvings
    assert [part.stride for part in convolutions] == [(2, 2)] * halvings


@pytest.mark.parametrize("name", ["autoencoder", "denoising_autoencoder[noise=0]"])
def test_the_plain_loss_is_the_pixels_cross_entropy(name):
    model, data = build(name), batch(0, 1, 2)
    drawn = model.outputs(data.images).reconstruction
    found = model.loss(data)
    torch.testing.assert_close(found["loss"], entropy(drawn, data.images).mean())
    torch.testing.assert_close(found["squared_error"], (drawn - data.images).square().mean())
    assert not found["squared_error"].requires_grad


@pytest.mark.parametrize("name", ALL)
def test_squared_errors_can_be_learned_from(name):
    model, data = build(f"{name}[loss=squared_error]").eval(), batch(0, 1, 2)
    drawn = model.outputs(data.images).reconstruction
    found = model.loss(data)
    torch.testing.assert_close(found["squared_error"], (drawn - data.images).square().mean())
    divergence = found.get("divergence", torch.zeros(())) / (3 * SIDE * SIDE)
    torch.testing.assert_close(found["loss"], found["squared_error"] + divergence)
    assert found["loss"].requires_grad


def test_the_layers_are_those_of_the_study():
    kinds = {
        name: [type(x).__name__ for x in build(name).encoder if not isinstance(x, nn.Linear)]
        for name in ALL
    }
    assert kinds["denoising_autoencoder"] == []  # one fully connected layer
    assert kinds["autoencoder"][:4] == ["Conv2d", "ReLU", "Conv2d", "ReLU"]
    assert kinds["vae"][:3] == ["Conv2d", "BatchNorm2d", "ReLU"]
    assert kinds["modified_vae"][:6] == 2 * ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds["modified_vae"].count("Conv2d") == 2 * kinds["vae"].count("Conv2d")
    widths = [
        [layer.out_features for layer in part if isinstance(layer, nn.Linear)]
        for name in ("denoising_autoencoder", "denoising_autoencoder[hidden=40-9]")
        for part in (build(name).encoder, build(name).decoder)
    ]
    assert widths == [[32], [768], [40, 9, 32], [9, 40, 768]]


@pytest.mark.parametrize("name", VARIATIONAL)
def test_the_variational_loss_is_the_negative_elbo(name):
    model, data = build(f"{name}[beta=2.5,latent=3]").eval(), batch(0, 1)
    with torch.no_grad():
        means, log_variances = model.encoder(data.images).split(3, dim=1)
        drawn = model.outputs(data.images).reconstruction
        found = model.loss(data)
    code = torch.distributions.Normal(means, (0.5 * log_variances).exp())
    prior = torch.distributions.Normal(0.0, 1.0)
    divergence = torch.distributions.kl_divergence(code, prior).sum(dim=1)
    torch.testing.assert_close(found["divergence"], divergence.mean())
    torch.testing.assert_close(found["cross_entropy"], entropy(drawn, data.images).mean())
    expected = found["cross_entropy"] + 2.5 * divergence.mean() / (3 * SIDE * SIDE)
    torch.testing.assert_close(found["loss"], expected)


def test_codes_are_drawn_at_random_in_training_alone():
    model, data = build("vae"), batch(0, 1)
    seen = []
    model.decoder.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    torch.manual_seed(1)
    model.loss(data)
    means, log_variances = model.encoder(data.images).chunk(2, dim=1)
    torch.manual_seed(1)
    noise = torch.randn(means.shape)
    torch.testing.assert_close(seen[0], means + noise * log_variances.exp().sqrt())
    model.eval().loss(data)
    torch.testing.assert_close(seen[1], model.encoder(data.images).chunk(2, dim=1)[0])


def test_noise_is_gray_of_the_given_strength_and_in_training_alone():
    model = build("denoising_autoencoder[noise=0.2]")
    images = torch.full((50, 3, SIDE, SIDE), 0.1)
    seen = []
    model.encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    model.losses(images)
    noise = seen[0].view(images.shape) - images
    assert torch.equal(noise[:, 0], noise[:, 2])
    assert math.isclose(noise.std().item(), 0.2, rel_tol=0.03)
    assert abs(noise.mean().item()) < 0.01
    model.eval().losses(images)
    assert torch.equal(seen[1].view(images.shape), images)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_it_learns_from_healthy_classes_alone(name):
    spec = f"{name}[healthy=round+flat]"
    model = build(spec)
    assert model.healthy.tolist() == [True, False, True]
    mixed, healthy = batch(0, 1, 2, 1), batch(0, 2, counted=4)
    healthy.images = mixed.images[::2]
    torch.manual_seed(5)
    some, statistics = gradients(model, mixed), list(model.buffers())
    other = build(spec)
    torch.manual_seed(5)
    alone = gradients(other, healthy)
    for key, value in alone.items():
        torch.testing.assert_close(some[key], value, msg=key)
    for ours, theirs in zip(statistics, other.buffers(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ALL)
def test_a_batch_without_healthy_images_changes_nothing(name):
    model = build(f"{name}[healthy=flat]")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = gradients(model, batch(0, 1))
    assert set(found) == {key for key, _ in model.named_parameters()}
    assert not any(value.any() for value in found.values())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model.training
    assert all(part.training for part in model.modules())


def test_class_weights_weigh_images():
    model, weights = build("autoencoder").eval(), torch.tensor([0.9, 0.3, 5.0])
    each = model.losses(batch(0, 1).images)["loss"]
    weighed = model.loss(batch(0, 1, weights=weights))
    torch.testing.assert_close(weighed["loss"], (0.9 * each[0] + 0.3 * each[1]) / 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_it_learns_to_draw(name):
    model, data = build(name), batch(0, 1)
    data.images = torch.zeros_like(data.images)
    data.images[0, :, 2:7, 3:14] = 1
    data.images[1, :, 5:15, 9:12] = 1
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        model.loss(data)["loss"].backward()
        optimizer.step()
    drawn = model.eval().outputs(data.images).reconstruction
    assert (drawn - data.images).square().mean() < 0.02  # their mean: 0.07


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("autoencoder[healthy=rund]", r"no such class \(did you mean 'round'\?\); the classes are"),
        ("modified_vae[healthy=flat+sick]", "healthy=sick: .* are round, oval, flat"),
        ("denoising_autoencoder[latent=0]", "a code needs at least one value"),
        ("denoising_autoencoder[hidden=9-0]", "hidden=9-0.*at least 1"),
        ("denoising_autoencoder[noise=-1]", "noise=-1.0: .* can't be negative"),
        ("vae[beta=-1]", "beta=-1.0: .* can't be negative"),
    ],
)
def test_impossible_options_are_refused(spec, reason):
    with pytest.raises(XaibenchError, match=reason):
        build(spec)
