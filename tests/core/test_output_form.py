from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional

from xaibench.core.batch import Batch, cross_entropy
from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model, Outputs
from xaibench.core.output_form import OutputChoice, OutputForm

LOGITS, OTHER, FEATURES = torch.randn(2, 3), torch.randn(2, 3), torch.randn(2, 8)
Named = namedtuple("Named", "features scores")


@dataclass
class Answer:
    features: torch.Tensor
    logits: torch.Tensor


@pytest.mark.parametrize(
    "result",
    [
        LOGITS,
        {"logits": LOGITS, "features": FEATURES},
        {"out": LOGITS},
        (LOGITS,),
        [LOGITS, None],
        (torch.tensor(0.3), LOGITS),
        namedtuple("Two", "logits aux")(LOGITS, OTHER),
        Answer(FEATURES, LOGITS),
        SimpleNamespace(logits=LOGITS, attentions=None),
    ],
    ids=lambda result: type(result).__name__,
)
def test_logits_are_found_where_nothing_else_could_be_meant(result):
    assert OutputChoice().find(result) is LOGITS


@pytest.mark.parametrize(
    ("result", "output"),
    [
        ((FEATURES, LOGITS), 1),
        ([OTHER, LOGITS], "-1"),
        ({"out": LOGITS, "aux": OTHER}, "out"),
        (Named(FEATURES, LOGITS), "scores"),
        (Named(FEATURES, LOGITS), "1:logits"),
        ({"logits": OTHER, "second": LOGITS}, "second:probabilities"),
        ({"logits": OTHER, "probabilities": LOGITS}, "probabilities"),
    ],
)
def test_a_part_is_chosen_by_name_or_number(result, output):
    assert OutputChoice.parse(output).find(result) is LOGITS


@pytest.mark.parametrize(
    ("result", "output", "message"),
    [
        ((FEATURES, LOGITS), None, r"0: a tensor \(2, 8\), 1: a tensor \(2, 3\).*output='1'"),
        ((LOGITS, [FEATURES]), None, "output='0'"),
        ({"out": LOGITS, "aux": OTHER}, None, "several things"),
        (Named(FEATURES, LOGITS), None, "output='scores'"),
        ((FEATURES, LOGITS), 2, "no such part, but 0: a tensor"),
        (LOGITS, "scores", "has no parts"),
        ((row for row in LOGITS), None, "a generator"),
        ((), None, "returned nothing"),
        ({"loss": torch.tensor(1.0)}, None, r"returned loss: a tensor \(\)"),
        (LOGITS[:, :, None, None], None, r"a tensor \(2, 3, 1, 1\)"),
    ],
)
def test_what_could_mean_several_things_is_refused(result, output, message):
    with pytest.raises(XaibenchError, match=message):
        OutputChoice.parse(output).find(result)


def test_one_logit_stands_for_two_classes():
    z = torch.tensor([[2.0], [-0.5]], requires_grad=True)
    form = OutputForm.of_logits(z)
    logits = form.logits(z)
    torch.testing.assert_close(logits, torch.tensor([[-2.0, 2.0], [0.5, -0.5]]))
    one = 1 / (1 + torch.exp(torch.tensor([-2.0, 0.5])))
    torch.testing.assert_close(form.confidences(logits), torch.stack([1 - one, one], dim=1))
    for target, slope in ((0, -1.0), (1, 1.0)):
        (gradient,) = torch.autograd.grad(logits[:, target].sum(), z, retain_graph=True)
        assert gradient.flatten().tolist() == [slope, slope]


@pytest.mark.parametrize("scale", [1.0, 10.0, 25.0])
def test_the_logit_of_a_softmax_is_log_p_also_where_p_is_rounded_to_one(scale):
    values = scale * torch.tensor([[1.3, -0.4, 0.2], [-0.1, 0.9, 0.85]], dtype=torch.float64)
    form = OutputForm(probabilities=True)
    for target in range(3):
        exact = values.clone().requires_grad_()
        expected = functional.log_softmax(exact, dim=1)
        (right,) = torch.autograd.grad(expected[:, target].sum(), exact)
        single = values.float().requires_grad_()
        found = form.logits(single.softmax(dim=1))
        (gradient,) = torch.autograd.grad(found[:, target].sum(), single)
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-15)
        torch.testing.assert_close(gradient.double(), right, rtol=1e-5, atol=1e-15)
    torch.testing.assert_close(form.confidences(found), single.softmax(dim=1))


def test_probabilities_that_stand_alone_have_log_odds():
    z = torch.tensor([[3.0, -1.0, 0.2]], requires_grad=True)
    form = OutputForm(probabilities=True, separate=True)
    logits = form.logits(z.sigmoid())
    torch.testing.assert_close(logits, z)
    torch.testing.assert_close(form.confidences(logits), z.sigmoid())
    (gradient,) = torch.autograd.grad(logits[:, 1].sum(), z)
    torch.testing.assert_close(gradient, torch.tensor([[0.0, 1.0, 0.0]]))


def test_a_probability_of_zero_spoils_no_other_class():
    p = torch.tensor([[0.0, 0.6, 0.4]], requires_grad=True)
    form = OutputForm(probabilities=True)
    logits = form.logits(p)
    torch.testing.assert_close(form.confidences(logits), p)
    (gradient,) = torch.autograd.grad(logits[0, 2], p)
    torch.testing.assert_close(gradient, torch.tensor([[0.0, 0.0, 2.5]]))


def test_a_lone_probability_of_one_has_no_finite_logit():
    form = OutputForm(probabilities=True, separate=True, single=True)
    logits = form.logits(torch.tensor([[1.0], [0.5]]))
    assert logits.tolist() == [[-torch.inf, torch.inf], [0.0, 0.0]]
    assert form.confidences(logits).tolist() == [[0.0, 1.0], [0.5, 0.5]]
    assert form.log_likelihoods(torch.tensor([[1.0]])).isfinite().all()


def test_cross_entropy_of_one_logit_is_the_binary_one():
    z, labels = torch.tensor([[2.0], [-0.5], [0.7]]), torch.tensor([0, 1, 1])
    batch = Batch(torch.zeros(3, 3, 2, 2), labels, torch.zeros(3, 2, 2), labels > 1, 3, 1)
    expected = functional.binary_cross_entropy_with_logits(z[:, 0], labels.float())
    torch.testing.assert_close(cross_entropy(z, batch), expected)
    batch.class_weights = torch.tensor([1.0, 3.0])
    weighed = functional.binary_cross_entropy_with_logits(
        z[:, 0], labels.float(), weight=torch.tensor([1.0, 3.0, 3.0])
    )
    torch.testing.assert_close(cross_entropy(z, batch), weighed)
    shares = torch.tensor([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    batch.class_weights = None
    found = cross_entropy(shares, batch, OutputForm(probabilities=True))
    torch.testing.assert_close(found, -torch.tensor([0.2, 0.5, 0.1]).log().mean())
    with pytest.raises(XaibenchError, match="separate probabilities"):
        cross_entropy(shares, batch, OutputForm(probabilities=True, separate=True))


def test_a_model_of_ones_own_may_have_one_logit():
    class Own(Model):
        def __init__(self):
            super().__init__(cam_layer=None)
            self.fc = nn.Linear(3, 1)

        def outputs(self, images, **_):
            return Outputs(self.fc(images.mean(dim=(2, 3))))

    model, images = Own(), torch.rand(2, 3, 4, 6)
    z = model.outputs(images).logits
    torch.testing.assert_close(model(images), torch.cat([-z, z], dim=1))
