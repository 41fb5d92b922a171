import pytest
import torch
from torch import nn
from torch.nn import functional

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Classifier
from xaibench.core.output_form import OutputForm
from xaibench.core.passes.acceptance import accept

IMAGES = torch.zeros(1, 3, 20, 28)


class Then(nn.Module):
    """A small network, and any function of its numbers."""

    def __init__(self, classes, function=lambda z: z):
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, classes, 3)
        )
        self.function = function

    def forward(self, images):
        return self.function(self.body(images).mean(dim=(2, 3)))


def form_of(network, output=None):
    model = Classifier(network, cam_layer=None, output=output)
    accept(model, IMAGES)
    return model.output_form, model.class_count


@pytest.mark.parametrize(
    ("classes", "function", "output", "form", "count"),
    [
        (4, lambda z: z, None, OutputForm(), 4),
        (4, lambda z: z / 5, "logits", OutputForm(), 4),
        (4, lambda z: 0 * z, None, OutputForm(), 4),
        (4, lambda z: z.log_softmax(dim=1), None, OutputForm(), 4),
        (4, lambda z: z.softmax(dim=1).log(), None, OutputForm(), 4),
        (4, functional.logsigmoid, "logits", OutputForm(), 4),
        (4, lambda z: 5 + functional.logsigmoid(z), None, OutputForm(), 4),
        (3, lambda z: -(z**2), None, OutputForm(), 3),
        (4, lambda z: z.softmax(dim=1), None, OutputForm(probabilities=True), 4),
        (2, lambda z: (z / 3).softmax(dim=1), "probabilities", OutputForm(probabilities=True), 2),
        (4, torch.sigmoid, "logits", OutputForm(), 4),
        (4, torch.sigmoid, "probabilities", OutputForm(probabilities=True, separate=True), 4),
        (1, lambda z: 3 * z, None, OutputForm(separate=True, single=True), 2),
        (1, lambda z: z[:, 0], None, OutputForm(separate=True, single=True), 2),
        (1, torch.sigmoid, "probabilities", OutputForm(True, True, True), 2),
        (1, torch.sigmoid, "logits", OutputForm(separate=True, single=True), 2),
        (1, lambda z: torch.cat([1 - z.sigmoid(), z.sigmoid()], dim=1), None,
         OutputForm(probabilities=True), 2),
    ],
)  # fmt: skip
def test_numbers_are_read_as_what_they_are(classes, function, output, form, count):
    assert form_of(Then(classes, function), output) == (form, count)


@pytest.mark.parametrize(
    ("classes", "function", "output", "message"),
    [
        (4, torch.sigmoid, None, "do not sum to 1.*output='logits' or output='probabilities'"),
        (1, torch.sigmoid, None, "one an image.*output='logits' or output='probabilities'"),
        (1, lambda z: z.softmax(dim=1), None, "always 1, as of a softmax over a single class"),
        (4, lambda z: z.softmax(dim=1), "logits", "sum to 1, so that they are probabilities"),
        (4, lambda z: z, "probabilities", "so that they are logits"),
        (4, lambda z: 100 * z.softmax(dim=1), None, "always sum to 100"),
        (4, lambda z: z[:, :0], None, "no logits"),
        (4, functional.logsigmoid, None, "logarithms of probabilities that do not sum to 1"),
        (1, lambda z: functional.logsigmoid(z)[:, 0], None, "by output='logits'"),
        (4, lambda z: z.sigmoid().log(), None, "never above 0"),
        (2, lambda z: -functional.softplus(-z), None, "never above 0"),
        (2, lambda z: torch.stack(functional.logsigmoid(z).unbind(1), 1), None, "never above 0"),
        (1, lambda z: z.log_softmax(dim=1), None, "always 0, as of a log-softmax over a single"),
        (4, lambda z: z.sum(dim=0), None, "for one image it returned 4 rows, and for two 4"),
    ],
)
def test_what_the_numbers_do_not_say_is_asked_for(classes, function, output, message):
    with pytest.raises(XaibenchError, match=message):
        form_of(Then(classes, function), output)


def test_a_linear_layer_gives_logits_wherever_they_lie():
    """A layer norm keeps the logits of a fresh transformer near each other for any image."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(8), nn.Linear(8, 2)
    )
    with torch.no_grad():
        network[-1].weight.mul_(0.01)
        network[-1].bias.fill_(0.4)
    assert form_of(network) == (OutputForm(), 2)
    with pytest.raises(XaibenchError, match="may be logits or probabilities"):
        form_of(nn.Sequential(network, nn.Hardtanh(0, 1)))


def test_chance_and_company_are_told_apart():
    plain = nn.BatchNorm2d(6, track_running_stats=False)
    network = Then(4)
    network.body[1] = plain
    with pytest.raises(XaibenchError, match=r"alone than beside another \(body.1: no running"):
        form_of(network)
    with pytest.raises(XaibenchError, match="different logits each time"):
        form_of(Then(4, lambda z: functional.dropout(z, 0.3)))
    with pytest.raises(XaibenchError, match="alone than beside another; normalize"):
        form_of(Then(4, lambda z: z - z.mean(dim=0)))
    form_of(Then(4, nn.Dropout(0.5)).train())


def test_the_model_is_left_as_it_was():
    network = Then(4).train()
    network.body[2].eval()
    before = [part.training for part in network.modules()], torch.get_rng_state()
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    form_of(network.requires_grad_(requires_grad=False))
    assert [part.training for part in network.modules()] == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
