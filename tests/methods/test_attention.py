"""Attention of transformers against their own layers, written out, in float64."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import VisionTransformer

from xaibench import explain
from xaibench.core.errors import Unsupported
from xaibench.core.maps import finish
from xaibench.core.model import Classifier
from xaibench.core.passes.attentions import attention_form
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.open_attention import OpenAttention
from xaibench.core.passes.question import Question
from xaibench.core.passes.tape import Tape
from xaibench.core.registry import bind
from xaibench.explaining.explainer import Explainer
from xaibench.setup.building import missing_word, why_no_attention

WIDTH, HEADS, DEPTH, PATCH, GRID, CLASSES = 12, 3, 3, 4, (2, 5), 4
IMAGES = torch.rand(
    3, 3, PATCH * GRID[0], PATCH * GRID[1], generator=torch.Generator().manual_seed(1)
).double()
TARGETS = torch.tensor([2, 0, 3])


class Block(nn.Module):
    def __init__(self, fused):
        super().__init__()
        self.fused, self.weights = fused, None
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, tokens):
        split = self.qkv(self.norm1(tokens)).unflatten(2, (3, HEADS, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(query, key, value)
        else:
            self.weights = torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, dim=3)
            mixed = self.weights @ value
        tokens = tokens + self.proj(mixed.transpose(1, 2).flatten(2))
        return tokens + self.mlp(self.norm2(tokens))


class Transformer(nn.Module):
    """Logits of the class token, of the mean of the patches, or of a pooling attention."""

    def __init__(self, read="class", fused=True):
        super().__init__()
        self.read = read
        self.patches = nn.Conv2d(3, WIDTH, PATCH, stride=PATCH)
        self.first = nn.Parameter(torch.randn(1, 2 if read == "class" else 0, WIDTH))
        self.places = nn.Parameter(torch.randn(1, self.first.shape[1] + 10, WIDTH))
        self.blocks = nn.Sequential(*(Block(fused) for _ in range(DEPTH)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)
        self.latent, self.pool_weights = nn.Parameter(torch.randn(1, 1, WIDTH)), None

    def tokens(self, images):
        patches = self.patches(images).flatten(2).mT
        return torch.cat([self.first.expand(len(images), -1, -1), patches], dim=1) + self.places

    def classify(self, tokens):
        tokens = self.norm(tokens)
        if self.read == "class":  # the second one is a register
            return self.head(tokens[:, 0])
        if self.read == "mean":
            return self.head(tokens.mean(dim=1))
        self.pool_weights = torch.softmax(self.latent @ tokens[:, None].mT, dim=3)
        return self.head((self.pool_weights @ tokens[:, None])[:, 0, 0])

    def forward(self, images):
        return self.classify(self.blocks(self.tokens(images)))


def make(read="class", *, fused=True):
    torch.manual_seed(3)
    return Transformer(read, fused).double().eval()


def ask(network, spec, images=IMAGES, layer="blocks.2.norm1"):
    model = Classifier(network, cam_layer=layer, mean=[0] * 3, std=[1] * 3).double().eval()
    question = Question(
        Tape(Engine(model, fold=False), images, set()), torch.arange(3), TARGETS, [1, 2, 3]
    )
    return bind("method", spec)(question)


def written_out(network, images=IMAGES):
    """Weights and gradients of each layer's attention, in plain autograd."""
    chosen = network(images).gather(1, TARGETS[:, None]).sum()
    weights = [block.weights for block in network.blocks]
    if network.pool_weights is not None:
        weights.append(network.pool_weights)
    slopes = torch.autograd.grad(chosen, weights)
    return [each.detach() for each in weights], slopes


def rows(network, total):
    """The rows that the logits are read from, of the patches' columns."""
    if network.read == "class":
        return total[:, 0, 2:].reshape(3, *GRID)
    return total.mean(dim=1).reshape(3, *GRID)


@pytest.mark.parametrize("read", ["class", "mean", "pool"])
@pytest.mark.parametrize("rule", ["raw", "rollout", "chefer"])
def test_attention_is_that_of_the_layers_written_out(rule, read):
    network = make(read, fused=False)
    weights, slopes = written_out(network)
    count = weights[0].shape[3]
    if rule == "raw":
        total = weights[-1].mean(dim=1)
    else:
        total = torch.eye(count).double().expand(3, -1, -1)
        for one, slope in zip(weights, slopes, strict=True):
            pools = one.shape[2] == 1
            if rule == "rollout":
                own = one.mean(dim=1)
                step = own if pools else 0.5 * own + 0.5 * torch.eye(count).double()
                total = torch.einsum("bij,bjk->bik", step / step.sum(dim=2, keepdim=True), total)
            else:
                flow = torch.einsum("bij,bjk->bik", (one * slope).clamp(min=0).mean(dim=1), total)
                total = flow if pools else total + flow
    expected = rows(network, total)
    for fused in (False, True):
        found = ask(make(read, fused=fused), f"attention[rule={rule}]")
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("read", ["class", "mean", "pool"])
def test_legrad_is_that_of_networks_that_end_earlier(read):
    network, layers = make(read, fused=False), []
    for depth in range(1, DEPTH + 1):
        tokens = network.blocks[:depth](network.tokens(IMAGES))
        chosen = network.classify(tokens).gather(1, TARGETS[:, None]).sum()
        (slope,) = torch.autograd.grad(chosen, network.blocks[depth - 1].weights)
        layers.append(slope.clamp(min=0).mean(dim=1))
    expected = rows(network, torch.stack(layers).mean(dim=0))
    torch.testing.assert_close(ask(make(read), "legrad"), expected)


def test_opened_attention_is_the_fused_one_and_is_closed_again():
    generator = torch.Generator().manual_seed(5)
    query = torch.randn(2, 6, 5, 4, generator=generator)
    key, value = torch.randn(2, 2, 2, 7, 4, generator=generator)
    mask = torch.rand(5, 7, generator=generator) > 0.3
    for options in ({"attn_mask": mask}, {"attn_mask": mask.float(), "scale": 0.3},
                    {"is_causal": True}):  # fmt: skip
        options |= {"enable_gqa": True}
        expected = functional.scaled_dot_product_attention(query, key, value, **options)
        with OpenAttention() as opened:
            found = functional.scaled_dot_product_attention(query, key, value, **options)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(opened.weights[0].sum(dim=3), torch.ones(2, 6, 5))
    functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    assert len(opened.weights) == 1
    with pytest.raises(RuntimeError), OpenAttention():
        functional.scaled_dot_product_attention(query, key[..., :3], value)
    torch.testing.assert_close(
        functional.scaled_dot_product_attention(query, key, value, **options), expected
    )


def test_modules_of_torch_hand_out_the_weights_that_are_kept():
    torch.manual_seed(0)
    module = nn.MultiheadAttention(12, 3, batch_first=True).eval()
    tokens = torch.randn(2, 5, 12)
    out, mean = module(tokens, tokens, tokens)
    with OpenAttention() as opened:
        found = module(tokens, tokens, tokens)
        heads = module(tokens, tokens, tokens, average_attn_weights=False)[1]
    torch.testing.assert_close(found, (out, mean))
    torch.testing.assert_close(opened.weights[0].mean(dim=1), mean)
    assert heads.shape == (2, 3, 5, 5)


def outputs(module, network, images):
    """What a part gives in a pass."""
    seen = []
    hook = module.register_forward_hook(lambda _part, _inputs, out: seen.append(out))
    with torch.no_grad():
        network(images)
    hook.remove()
    return seen[0]


def of_hugging_face():
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=12, num_hidden_layers=3, num_attention_heads=3, intermediate_size=16,
        image_size=8, patch_size=4, num_labels=CLASSES, attn_implementation="eager",
    )  # fmt: skip
    network = transformers.ViTForImageClassification(config).eval()

    def last(images):
        return network(images, output_attentions=True).attentions[-1]

    return network, last


def of_timm():
    timm = pytest.importorskip("timm")
    network = timm.models.VisionTransformer(
        img_size=8, patch_size=4, embed_dim=12, depth=3, num_heads=3, num_classes=CLASSES
    ).eval()

    def last(images):
        part = network.blocks[-1].attn
        part.fused_attn = False
        weights = outputs(part.attn_drop, network, images)
        part.fused_attn = True
        return weights

    return network, last


def of_torchvision():
    network = VisionTransformer(8, 4, 3, 3, 12, 16, num_classes=CLASSES).eval()
    nn.init.normal_(network.heads[0].weight)

    def last(images):
        block = network.encoder.layers[-1]
        tokens = outputs(block.ln_1, network, images)
        return block.self_attention(tokens, tokens, tokens, average_attn_weights=False)[1]

    return network, last


@pytest.mark.parametrize("make", [of_hugging_face, of_timm, of_torchvision])
def test_attention_of_each_library_is_its_own(make):
    torch.manual_seed(0)
    network, last = make()
    images = IMAGES.float()[:, :, :8, :8]
    found = explain(network, images, TARGETS, ["attention[rule=raw]", "attention", "legrad"])
    assert all(maps.flatten(1).amax(dim=1).eq(1).all() for maps in found.values())
    own = last(images).detach().mean(dim=1)[:, 0, 1:].reshape(3, 2, 2)
    torch.testing.assert_close(found["attention[rule=raw]"], finish(own, (8, 8), sign="none")[0])


def test_networks_without_attention_among_all_tokens_say_what_they_lack():
    network = make()
    model = Classifier(network, cam_layer="blocks.2.norm1", mean=[0] * 3, std=[1] * 3).double()
    assert attention_form(model, IMAGES).readers == (0,)
    method = bind("method", "attention")
    assert missing_word(method, model, IMAGES[:1]) is None
    conv = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    plain = Classifier(conv.double(), cam_layer="0")
    assert missing_word(method, plain, IMAGES[:1]) == "attentions"
    assert "no attention" in why_no_attention(method, plain, IMAGES[:1])


def linear(relevance, values, layer):
    """The epsilon rule at epsilon = 0."""
    return values * ((relevance / layer(values)) @ layer.weight)


def normed(relevance, values, layer):
    """A norm is linear where its scale is a constant."""
    scale = layer.weight / (values.var(dim=2, correction=0, keepdim=True) + layer.eps).sqrt()
    shares = relevance / layer(values) * scale
    return values * (shares - shares.mean(dim=2, keepdim=True))


def joined(relevance, one, other):
    """A sum shares relevance out by its parts."""
    return relevance * one / (one + other), relevance * other / (one + other)


def multiplied(relevance, one, other):
    """Of a product of matrices each has half, by its share of every entry."""
    shares = relevance / (one @ other) / 2
    return one * (shares @ other.mT), other * (one.mT @ shares)


def behind_block(relevance, tokens, block):
    """Relevance before a block, every rule written out."""
    query, key, value = (
        block.qkv(block.norm1(tokens)).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
    )
    scores = query @ key.mT / query.shape[-1] ** 0.5
    weights = scores.softmax(dim=3)
    mixed = (weights @ value).transpose(1, 2).flatten(2)
    middle = tokens + block.proj(mixed)
    hidden = block.mlp[0](block.norm2(middle))
    middle_own, through = joined(relevance, middle, block.mlp(block.norm2(middle)))
    through = linear(through, block.mlp[1](hidden), block.mlp[2])  # GELU passes it on
    through = linear(through, block.norm2(middle), block.mlp[0])
    middle_own = middle_own + normed(through, middle, block.norm2)
    own, through = joined(middle_own, tokens, block.proj(mixed))
    through = linear(through, mixed, block.proj).unflatten(2, (HEADS, -1)).transpose(1, 2)
    on_weights, on_value = multiplied(through, weights, value)
    on_scores = scores * (on_weights - weights * on_weights.sum(dim=3, keepdim=True))
    on_query, on_key = multiplied(on_scores, query, key.mT)
    parts = torch.stack([on_query, on_key.mT, on_value]).permute(1, 3, 0, 2, 4).flatten(2)
    return own + normed(linear(parts, block.norm1(tokens), block.qkv), tokens, block.norm1)


def test_attnlrp_is_relevance_passed_back_rule_by_rule():
    with torch.no_grad():
        network = make(fused=False)
        states = [network.tokens(IMAGES)]
        for block in network.blocks:
            states.append(block(states[-1]))
        logits = network(IMAGES)
        relevance = functional.one_hot(TARGETS, CLASSES) * logits
        relevance = linear(relevance, network.norm(states[-1])[:, 0], network.head)
        whole = torch.zeros_like(states[-1])
        whole[:, 0] = relevance
        relevance = normed(whole, states[-1], network.norm)
        for block, tokens in zip(reversed(network.blocks), reversed(states[:-1]), strict=True):
            relevance = behind_block(relevance, tokens, block)
        shares = (relevance / states[0])[:, 2:]  # of patches, places and the patches' bias
        shares = shares.mT.unflatten(2, GRID)
        back = functional.conv_transpose2d(shares, network.patches.weight, stride=PATCH)
        expected = (IMAGES * back).sum(dim=1)
    for fused in (False, True):
        found = ask(make(fused=fused), "attnlrp[part=signed]")
        torch.testing.assert_close(found, expected)


def test_rules_for_relus_are_skipped_on_transformers():
    with pytest.raises(Unsupported, match="has none, so that it would be the plain gradient"):
        ask(make(), "guided_backprop")


def test_maps_of_predicted_classes_take_one_pass():
    torch.manual_seed(2)
    network, seen, rules = Transformer().double().eval(), [], ["attention", "attention[rule=raw]"]
    predicted = network(IMAGES).argmax(dim=1)
    network.patches.register_forward_hook(lambda _part, inputs, _out: seen.append(len(inputs[0])))
    explainer = Explainer(network, layer="blocks.2.norm1")
    explainer(IMAGES, None, rules)
    seen.clear()
    found = explainer(IMAGES, None, rules)
    assert seen == [len(IMAGES)]
    named = explainer(IMAGES, predicted, rules)
    assert seen == [len(IMAGES)] * 3
    for rule in rules:
        torch.testing.assert_close(found[rule], named[rule])
