"""Plugins that break the contract's rules, one each: what `xaibench check` must find."""

from plugin_sources import Case, Source, analysis, dataset, fit, method, metric, model

GRAY = "return gray(images)"
SHARE = "return share(maps, masks)"
SHARES = "return share(maps, masks)[:, None].expand(-1, 2)"
MASK = "xaibench.MaskLayer(HERE / '{}.png')"
# A model that doesn't classify.
DRAWS = """classifies, abilities = False, frozenset({'reconstruction'})
def outputs(self, images, *, saliency=False):
    return xaibench.Outputs(images.new_zeros(len(images), 0), reconstruction=%s)
def loss(self, batch):
    return {'loss': sum(p.square().sum() for p in self.parameters())}"""

METHODS = (
    Case("method", "has a docstring", "end it with a full stop",
         f"__doc__ = 'A trial'\n\n\n@xaibench.method()\ndef trial(images):\n    {GRAY}\n"),
    method("paper in the bibliography", r"paper='who2000' is no key in .*; add the entry", GRAY,
           paper="who2000"),
    fit("its fit, if any, runs", r"returned a float; it must return tensors by name",
        "return float(len(training_images))"),
    fit("same seed, same fit", "other tensors; draw random numbers from `generator`",
        "KEPT.append(0)\nreturn {'calls': torch.tensor(len(KEPT))}"),
    fit("its fit leaves the model alone", r"changes network.0.0.weight \(weights\); learn",
        "with torch.no_grad():\n    next(network.parameters()).mul_(1.1)\nreturn {}",
        words="network"),
    method("only controls read the truth", "asks for masks, .* declare family='control'",
           "return masks.float()", words="masks"),
    method("runs", r"raises ValueError: no map today \(trial.py:\d+\); fix that. It asked for "
           r"images \(3, 3, 40, 56\)", "gray(images)\nraise ValueError('no map today')"),
    method("one map for each image", r"returned \(3, 3\); return \(3, h, w\)",
           "return images.mean(dim=(2, 3))"),
    method("floating numbers, where the images lie", "are torch.int32; return floats",
           "return (255 * gray(images)).int()"),
    method("upright maps", "40 x 56 .* maps are 56 x 40: they lie on their side",
           "return gray(images).mT"),
    method("finite maps", "nan in 3 places, the first in map 0 at row 3, column 4; guard",
           "maps = gray(images)\nmaps[:, 3, 4] = torch.nan\nreturn maps"),
    method("no NaN on constant images", "black image .* gives nan; .* divide by it only where",
           "maps = gray(images)\nspan = maps.amax(dim=(1, 2)) - maps.amin(dim=(1, 2))\n"
           "return maps / span[:, None, None]"),
    method("maps that vary", "all maps are constant: .* blind=True",
           "return images.mean(dim=(1, 2, 3))[:, None, None].expand(-1, 4, 6)",
           status="doubtful"),
    method("values in [0, 1] where nothing rescales them", "clamped .* declare rescale='minmax'",
           "return 3 * gray(images)", rescale="none"),
    method("blind controls see nothing", "other images .* drop blind=True", GRAY, blind=True,
           family="control"),
    method("same seed, same map", "same seed .* different maps; draw .* `generator`",
           "stream = torch.Generator().manual_seed(torch.initial_seed())\n"
           "return gray(images) + torch.rand(40, 56, generator=stream)"),
    method("another seed, another map", "no seed changes its maps; use it, or drop it", GRAY,
           words="images, generator"),
    method("independence of the batch", "another map alone than among 3 .* over each image",
           "return gray(images) / (1 + gray(images).max())"),
    method("releases memory", "each call leaves 1 tensors of 6720 numbers behind",
           f"KEPT.append(gray(images))\n{GRAY}"),
    method("global random states untouched", "draws from numpy's random state, or seeds it",
           f"np.random.seed(0)\n{GRAY}"),
    method("torch's settings untouched", "leaves torch's grad mode changed; .* `with` block",
           f"torch.set_grad_enabled(False)\n{GRAY}"),
    method("arguments untouched", "changes images in place, .* work on a copy",
           "return images.mul_(0.5).mean(dim=1)"),
    method("layers and weights untouched", "changes the model: .*weight; work on copy.deepcopy",
           f"with torch.no_grad():\n    next(network.parameters()).mul_(1.1)\n{GRAY}",
           words="images, network"),
    method("training modes untouched", "another mode .* in the model itself, .* call train",
           f"network.train()\n{GRAY}", words="images, network"),
    method("requires_grad untouched", "leaves requires_grad changed in .*; put it back",
           f"network.requires_grad_(False)\n{GRAY}", words="images, network"),
    method("no gradients left behind", r"leaves .grad in .*; use torch.autograd.grad",
           "leaves = images.clone().requires_grad_()\n"
           "network(leaves)[:, 0].sum().backward()\nreturn leaves.grad.abs().sum(dim=1)",
           words="images, network"),
    method("no hooks left behind", "leaves hooks in the model itself; .* handle.remove",
           f"network.register_forward_hook(lambda *_: None)\n{GRAY}", words="images, network"),
)  # fmt: skip

METRICS = (
    metric("turned by its own options", "turned_by names sign, .* drop it", SHARE,
           turned_by={"sign": 1}),
    metric("runs", r"KeyError: 'gone' \(trial.py:\d+\); fix .* maps \(16, 40, 56\)",
           "raise KeyError('gone')"),
    metric("one value for each map", r"returned \(\); return \(16,\)", "return maps.mean()"),
    metric("one value for each map", r"returned \(16,\); with `pool` return \(16, S\)", SHARE,
           pool=Source("lambda mean: mean.sum()")),
    metric("pooled, if at all, into one number", r"pool returns \(2,\); return one number", SHARES,
           pool=Source("lambda mean: 2 * mean")),
    metric("pooled, if at all, into one number", "no gradient, .* without item", SHARES,
           pool=Source("lambda mean: torch.tensor(mean.sum().item())")),
    metric("pooled, if at all, into one number", "gradient is not finite; guard its roots", SHARES,
           pool=Source("lambda mean: mean[0] + (mean[1] - mean[1]).sqrt()")),
    metric("values within the declared bounds", r"gives \d, outside of its bounds", SHARES,
           pool=Source("lambda mean: 5 * mean.mean()"), family="faithfulness"),
    metric("independence of the batch", "alone and .* in its batch; .* not over the batch",
           "values = share(maps, masks)\nreturn (values / values.nan_to_num().max())[:, None]",
           pool=Source("lambda mean: mean.sum()")),
    metric("defined for the masks that count", "an ordinary map with a mask scores nan .* guard",
           "first = maps[:, 0, 0]\n"
           "return share(maps, masks).where((first < 0.2) | (first > 0.5), math.nan)"),
    metric("values within the declared bounds", "gives 1.*, outside of its bounds 0.0 to 1.0",
           "return share(maps, masks) + 4 * maps.std(dim=(1, 2))", family="faithfulness"),
    metric("bears constant maps", "gives inf for maps that are 1 everywhere",
           "span = maps.amax(dim=(1, 2)) - maps.amin(dim=(1, 2))\n"
           "return share(maps, masks) / span"),
    metric("undefined for masks that don't count", "is empty it gives 0, whatever the map; return",
           "return share(maps, masks).nan_to_num()"),
    metric("undefined for masks that don't count", "mask is not empty it gives 0, whatever the map",
           "empty = ~(masks > 0).flatten(1).any(dim=1)\n"
           "return maps.mean(dim=(1, 2)) * empty", counted="empty", higher_is_better=False),
    metric("independence of the batch", "alone and .* in its batch; .* not over the batch",
           "values = share(maps, masks)\nreturn values / values.nan_to_num().max()"),
    metric("same maps, same values", "twice gives different values",
           "return share(maps, masks) ** (1 + torch.initial_seed() % 5)"),
    metric("tells a map from its transpose", "on its side would go unnoticed; compare",
           "return 1 - maps.mean(dim=(1, 2))", words="maps, images", family="faithfulness"),
    metric("truth is best, and beats chance", "higher_is_better=True; turn it round",
           "return 1 - share(maps, masks)"),
    metric("arguments and surroundings untouched", "changes maps in place; work on a copy",
           "return share(maps.clamp_(max=0.9), masks)"),
)  # fmt: skip

MODELS = (
    model("builds a Model", "returned a Linear; return an xaibench.Model",
          build="return nn.Linear(3, classes)"),
    model("a logit for each class", r"gives logits \(3, 4\); the last layer",
          build="return Mine(classes + 1)"),
    model("a logit for each class", r"doesn't classify, but .* logits \(3, 3\); return images.new",
          "classifies = False"),
    model("takes images of any size", "takes 224 x 224, but not 112 x 144 .*; pool adaptively",
          "def normalize(self, images):\n    assert images.shape[2] == 224, 'too small'\n"
          "    return super().normalize(images)", status="doubtful"),
    model("finite outputs", "constant images give NaN or infinite logits; guard",
          "def normalize(self, images):\n"
          "    return images / images.std(dim=(1, 2, 3), keepdim=True)"),
    model("same outputs in any batch", "other logits alone than in a batch",
          "def normalize(self, images):\n    return images - 2 * images.mean(dim=0)"),
    model("same outputs in any batch", "give different reconstruction; .* self.training",
          DRAWS % "torch.rand_like(images)"),
    model("images untouched", "changes its images in place; work on a copy",
          "def normalize(self, images):\n    return images.mul_(0.5)"),
    model("abilities are words", "abilities name clairvoyance; the words are in",
          "@property\ndef abilities(self):\n    return super().abilities | {'clairvoyance'}"),
    model("maps of its own where they are promised", "saliency leaves .* end it with a sigmoid",
          "@property\ndef abilities(self):\n    return super().abilities | {'saliency'}\n"
          "def outputs(self, images, *, saliency=False):\n"
          "    return super().outputs(images)._replace(saliency=5 + images[:, 0])"),
    model("maps of its own where they are promised",
          r"gives \(3, 3, 56, 72\) as reconstruction; return \(B, C, H, W\) in",
          DRAWS % "images[:, :, ::2, ::2]"),
    model("maps of its own where they are promised",
          r"gives \(3, 3, 112, 144\) as class_maps; return \(B, 1 \+ K, h, w\) in",
          (DRAWS % "None").replace("reconstruction=None", "class_maps=images")
          .replace("reconstruction", "class_maps")),
    model("maps of its own where they are promised", "neither classifies nor has class_maps, evid",
          DRAWS.replace("'reconstruction'", "") % "None"),
    model("a CAM layer", "no layer 'nowhere'; its last layers are features, head",
          build="return Mine(classes, cam_layer='nowhere')"),
    model("learns", "nan.* under 'loss', with masks that may be seen: False; return one finite",
          "def loss(self, batch):\n    found = super().loss(batch)['loss']\n"
          "    return {'loss': found + 0 / batch.masked.sum()}"),
    model("new parameters are its own", "names what isn't among parameters",
          "def new_parameters(self):\n    return [nn.Parameter(torch.zeros(3))]"),
    model("weights can be stored and read back", "state dict loaded, it gives other logits",
          "def __init__(self, classes):\n    super().__init__(classes)\n"
          "    self.secret = torch.randn(1, 3, 1, 1)\n"
          "def normalize(self, images):\n    return images * self.secret"),
)  # fmt: skip

DATASETS = (
    dataset("recipe of run options", "there is no option 'epoch'", traits="recipe={'epoch': 3}"),
    dataset("opens", "two samples are called 's0'; rename", samples="named() + named(1)"),
    dataset("two classes or more, each with samples", "classes are a, a; name at least two, once",
            classes="('a', 'a')"),
    dataset("same samples each time", "opened twice .* sort what the file system gives",
            samples="random.SystemRandom().sample(named(64), 64)"),
    dataset("files are there", "sample 's6': .*gone.png is no file; list only what is there",
            samples="[xaibench.Sample(f's{i}', HERE / 'image.png', i % 2, "
            f"({MASK.format('mask')},) if i != 6 else ({MASK.format('gone')},)) for i in range(9)]",
            read="xaibench.core.data.read_files"),
    dataset("images are (H, W, C) bytes", r"'s0' has an image \(9, 12\) of uint8; return",
            read="lambda sample: noise(sample)._replace(image=noise(sample).image[..., 0])"),
    dataset("masks fit their images", "'s0' has a mask, but its sample says annotated=False",
            read="lambda sample: noise(sample)._replace(mask=np.ones((9, 12), np.int8))"),
    dataset("same picture each time", "'s0' read twice gives two pictures; .* seeded by",
            read="lambda _: xaibench.Picture("
            "np.random.default_rng().integers(0, 256, (9, 12, 3), np.uint8), None)"),
)  # fmt: skip

SPREAD = "spread = embeddings.std(axis=1).astype(float)"
FOUND = "return xaibench.Findings({'spread': spread})"
ANALYSES = (
    analysis("runs", r"raises ValueError: no luck \(trial.py:\d+\); fix that. It asked for "
             r"embeddings \(30, 8\)", "len(embeddings)\nraise ValueError('no luck')"),
    analysis("runs", "returned a float64; return xaibench.Findings",
             "return np.float64(embeddings.std())"),
    analysis("numbers, or one for each test image", r"'spread' is \(30, 8\); return one value",
             "return xaibench.Findings({'spread': embeddings.astype(float)})"),
    analysis("numbers, or one for each test image", "'spread' is int64; return floats",
             "return xaibench.Findings({'spread': embeddings.argmax(axis=1)})"),
    analysis("explains its numbers", "doesn't say what width means; add it there",
             f"{SPREAD}\nreturn xaibench.Findings({{'spread': spread, 'width[x]': 2.0}})"),
    analysis("numbers within the declared bounds", r"'spread' is 9.*, outside of 0.0 to 1.0",
             f"{SPREAD}\nreturn xaibench.Findings({{'spread': 9 + spread}})"),
    analysis("figures and pairs of what it found", "names missing of images, which it didn't",
             f"{SPREAD}\nreturn xaibench.Findings({{'spread': spread}}, "
             "figures=[xaibench.Scatter('a', 'A.', ('spread', 'missing'))])"),
    analysis("figures and pairs of what it found", "names k of sweep, which it didn't return",
             f"{SPREAD}\nreturn xaibench.Findings({{'spread': spread}}, "
             "figures=[xaibench.Lines('a', 'A.', 'sweep', 'k', ('spread',), 'spread')])"),
    analysis("does without a head", "doesn't classify it raises TypeError: .* are None there",
             "right = (predictions + 0 == labels).astype(float)\n"
             "return xaibench.Findings({'spread': right})", words="predictions, labels"),
    analysis("same images, same findings", "asked twice it gives another spread; take random_state",
             "noise = random.SystemRandom().random()\nreturn xaibench.Findings({'spread': noise})"),
    analysis("arguments and surroundings untouched", "changes embeddings in place; work on a copy",
             f"embeddings *= 0.5\n{SPREAD}\n{FOUND}"),
    analysis("arguments and surroundings untouched", "uses or changes numpy's random state",
             f"np.random.seed(0)\n{SPREAD}\n{FOUND}"),
)  # fmt: skip

CASES = (*METHODS, *METRICS, *MODELS, *DATASETS, *ANALYSES)
