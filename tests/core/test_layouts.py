"""The form of a layer's output, where shapes alone would mislead: square, narrow, padded, tied."""

import pytest
import torch
from small_nets import noise
from torch import nn
from torch.nn import functional

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.layers import check_layer
from xaibench.core.passes.layouts import Map, Reshaped, Tokens, named_layout

CLASSES = 4


def layout(network, images, layer):
    return check_layer(network.eval(), images, layer).layout


class Strided(nn.Module):
    """128 x 32 becomes 8 x 8 under 8 channels: the shape tells nothing, the proportions mislead."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=(4, 2), padding=1), nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=(4, 2), padding=1), nn.Identity(), nn.ReLU(),
        )  # fmt: skip
        self.last = nn.Conv2d(8, 8, 1)
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, images):
        return self.fc(self.last(self.features(images)).mean(dim=(2, 3)))


class Last(nn.Module):
    """Channels are last in between, as in Swin: ``(B, 6, 6, 6)``."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 4, stride=4)
        self.norm, self.mix, self.act = nn.LayerNorm(6), nn.Linear(6, 6), nn.GELU()
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, images):
        found = self.stem(images).permute(0, 2, 3, 1)
        found = found + self.act(self.mix(self.norm(found)))
        return self.fc(found.mean(dim=(1, 2)))


class Whole(nn.Module):
    """A layer norm over channels, rows and columns."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 6, 4, stride=4), nn.LayerNorm([6, 6, 6])
        self.fc = nn.Linear(6 * 36, CLASSES)

    def forward(self, images):
        return self.fc(self.norm(self.stem(images)).flatten(1))


class Turned(nn.LayerNorm):
    """Derives from a layer norm, but keeps channels first."""

    def forward(self, found):
        return super().forward(found.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Sequence(nn.Module):
    """Tokens of a padded image, with two tokens before and one behind them."""

    def __init__(self, *, transposed=False):
        super().__init__()
        self.stem, self.transposed = nn.Conv2d(3, 6, 4, stride=4), transposed
        self.before, self.behind = nn.Parameter(noise(1, 2, 6)), nn.Parameter(noise(1, 1, 6))
        self.norm, self.turn = nn.LayerNorm(6), nn.Flatten(2)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, images):
        found = self.turn(self.stem(functional.pad(images, (0, 2, 0, 3)))).transpose(1, 2)
        ends = [part.expand(len(found), -1, -1) for part in (self.before, self.behind)]
        found = self.norm(torch.cat([ends[0], found, ends[1]], dim=1))
        return self.fc(found.mean(dim=1))


@pytest.mark.parametrize(
    ("make", "size", "layer", "expected"),
    [
        (Strided, (128, 32), "features", Map()),
        (Strided, (128, 32), "features.2", Map()),
        (Strided, (128, 32), "features.4", Map()),
        (Strided, (32, 128), "last", Map()),
        (Last, (24, 24), "stem", Map()),
        (Last, (24, 24), "norm", Map(3, 1, 2)),
        (Last, (24, 24), "mix", Map(3, 1, 2)),
        (Last, (24, 24), "act", Map(3, 1, 2)),
        (Whole, (24, 24), "norm", Map()),
        (Sequence, (37, 22), "norm", Tokens(2, (10, 6))),
        (Sequence, (37, 22), "turn", Tokens(0, (10, 6), axis=2)),
    ],
)
def test_what_stands_around_a_layer_tells_its_form(make, size, layer, expected):
    assert layout(make(), noise(1, 3, *size), layer) == expected


def test_norms_that_derive_from_a_layer_norm_are_asked_what_they_do():
    network = nn.Sequential(
        nn.Conv2d(3, 6, 4, stride=4), Turned(6), nn.Flatten(), nn.Linear(6 * 36, CLASSES)
    )
    assert layout(network, noise(1, 3, 24, 24), "1") == Map()


def test_windows_and_other_rows_of_positions_are_refused():
    class Windows(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.norm = nn.Conv2d(3, 6, 4, stride=4), nn.LayerNorm(6)
            self.fc = nn.Linear(6, CLASSES)

        def forward(self, images):
            found = self.stem(images).view(len(images), 6, 3, 2, 2, 3)
            found = found.permute(0, 2, 4, 3, 5, 1).reshape(len(images), 6, 6, 6)
            return self.fc(self.norm(found[:, :4]).mean(dim=1).mean(dim=1))

    with pytest.raises(XaibenchError, match=r"'norm' gives \(B, 4, 6, 6\).*reshape="):
        layout(Windows(), noise(1, 3, 24, 24), "norm")


LAYOUTS = [
    (Map(), (2, 5, 3, 4)),
    (Map(3, 1, 2), (2, 3, 4, 5)),
    (Map(3, 2, 1), (2, 4, 3, 5)),
    (Tokens(0, (3, 4)), (2, 12, 5)),
    (Tokens(2, (3, 4)), (2, 15, 5)),
    (Tokens(1, (3, 4), axis=2), (2, 5, 14)),
    (Reshaped(lambda t: t[:, 1:].transpose(1, 2).reshape(len(t), 5, 3, 4)), (2, 13, 5)),
]


@pytest.mark.parametrize(("form", "shape"), LAYOUTS)
def test_activations_are_laid_out_and_go_back(form, shape):
    output = noise(*shape)
    activations = form.activations(output)
    assert activations.shape == (2, 5, 3, 4)
    assert torch.equal(form.output(activations, output), output)
    several = activations[:1].repeat(3, 1, 1, 1) + torch.arange(3.0).view(3, 1, 1, 1)
    back = form.output(several, output[:1])
    assert torch.equal(form.activations(back), several)
    if isinstance(form, Tokens) and form.first:
        assert torch.equal(back.narrow(form.axis, 0, 1), output[:1].narrow(form.axis, 0, 1).expand(
            3, *(-1 for _ in shape[1:])))  # fmt: skip


def test_tokens_stand_row_by_row():
    tokens = torch.arange(6.0).view(1, 6, 1)
    found = Tokens(0, (2, 3)).activations(tokens)
    assert found[0, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_user_names_the_form():
    assert named_layout("channels_last", (1, 3, 4, 5)) == Map(3, 1, 2)
    assert named_layout("tokens=3x4", (1, 13, 5)) == Tokens(1, (3, 4))
    for wrong, shape in (
        ("nhwc", (1, 3, 4, 5)), ("channels_first", (1, 12, 5)), ("tokens=3x4", (1, 11, 5)),
        ("tokens=3x4", (1, 3, 4, 5)), ("tokens=0x4", (1, 12, 5)),
    ):  # fmt: skip
        with pytest.raises(XaibenchError, match="reshape="):
            named_layout(wrong, shape)


def test_a_reshape_overrides_what_is_found():
    torch.manual_seed(0)
    network, images = Last().eval(), noise(2, 3, 24, 24)
    ours = xaibench.explain(network, images, 1, ["gradcam", "scorecam"], layer="act")
    for reshape in ("channels_last", lambda t: t.permute(0, 3, 1, 2)):
        same = xaibench.explain(
            network, images, 1, ["gradcam", "scorecam"], layer="act", reshape=reshape
        )
        for method, maps in ours.items():
            assert maps.any()
            torch.testing.assert_close(same[method], maps)
    turned = xaibench.explain(
        network, images, 1, layer="act", reshape=lambda t: t.permute(0, 3, 2, 1)
    )
    torch.testing.assert_close(turned["gradcam"], ours["gradcam"].transpose(1, 2))


@pytest.mark.parametrize(
    ("reshape", "method", "said"),
    [
        (
            lambda t: t.flatten(1),
            "gradcam",
            r"must bring .* to \(B, D, h, w\), but gave \(1, 216\)",
        ),
        (lambda t: t.view(7), "gradcam", "reshape= failed"),
        (lambda t: t.permute(0, 3, 1, 2) * 2, "scorecam", "may only move numbers"),
    ],
)
def test_what_is_no_reshape_is_refused(reshape, method, said):
    with pytest.raises(XaibenchError, match=said):
        xaibench.explain(Last(), noise(1, 3, 24, 24), 1, method, layer="act", reshape=reshape)
