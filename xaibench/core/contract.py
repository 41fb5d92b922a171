"""The vocabulary: what a plugin may ask for by naming its positional arguments.

A plugin's signature is its contract. Positional arguments are words of the vocabulary below and are
filled by the engine; keyword-only arguments are the plugin's options. To give plugins something new
to ask for, add its word here and compute it where the kind's words are computed.
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from xaibench.core.errors import XaibenchError
from xaibench.core.metric_words import METRIC_WORDS
from xaibench.core.suggest import did_you_mean

METHOD_WORDS = {
    "images": "(B, C, H, W) in [0, 1], as the model takes them",
    "targets": "(B,) classes to explain",
    "logits": "(B, K) on the untouched images",
    "activations": "(B, D, h, w) output of the CAM layer",
    "gradients": "(B, D, h, w) derivative of the target's logit by the activations",
    "derive": "callable: weights (B, K) -> derivative (B, D, h, w) of the weighed logits by the "
    "activations",
    "layers": "callable: (*names) -> a list of (name, activations, gradients), each "
    "(B, D, h, w), of several layers from one pass; unnamed, the last of each size of map up to "
    "the CAM layer, the largest first",
    "class_weights": "(B, D) weights that lead from the pooled activations to the target's logit",
    "head": "what is known of the network behind the CAM layer: .pooled, .weights",
    "try_head": "callable: (row, variants, count) -> (count,) the target's logit where "
    "variants(first, last) (n, D, h, w) stand for one image's activations",
    "saliency": "(B, h, w) in [0, 1], the model's own saliency map, or that of the target where it "
    "has one for each class",
    "class_maps": "(B, 1 + K, h, w) in [0, 1], a segmentation network's probabilities: of the "
    "background, then of each class",
    "evidence": "(B, K, h, w) what each position adds to each class's logit, which is their mean",
    "reconstruction": "(B, C, H, W) in [0, 1], an autoencoder's picture of the images",
    "predict": "callable: images -> confidences (B, K)",
    "respond": "callable: (row, copies, count, confidence=False) -> (count,) the target's logit on "
    "changed copies of one image, made in parts by copies(first, last) (n, C, H, W)",
    "input_gradients": "(B, C, H, W) derivative of the target's logit by the image",
    "differentiate": "callable: images (B * n, C, H, W), n for each target, guided=False, "
    "attnlrp=False -> gradient of the target's logit by the images; through guided ReLUs, or by "
    "AttnLRP's rules, if asked",
    "multipliers": "callable: baselines (B, C, H, W) -> DeepLIFT's multipliers (B, C, H, W) of the "
    "target's logit, and by how much it changes from each baseline to its image (B,)",
    "layer_multipliers": "callable: baselines (B, D, h, w) of the activations -> DeepLIFT's "
    "multipliers of them, and by how much the target's logit changes (B,)",
    "target_logits": "callable: images (B * n, C, H, W), n for each target -> the target's logit "
    "(B * n,)",
    "promise": "callable: (attributions (n, ...), owed (n,)) -> None; a method that names it says "
    "that signed attributions add up to what is owed; costs.csv holds how much they miss",
    "integrate": "callable: (row, copies, count) -> (C, H, W) weighed sum of the gradients on "
    "changed copies of one image; copies(first, last) gives images and weights",
    "record": "callable: (row, images) -> activations and gradients (n, D, h, w) of copies of one "
    "image",
    "sum_over_biases": "callable: (term, promise=None) -> gradient by the images, and the sum "
    "(B, H, W) of term(gradient, bias) over all biases; tells promise the parts of the logit",
    "attentions": "a vision transformer's attention: .layers(join, gradients=False) -> of each "
    "layer what join made of its weights and of the target's logit's gradients by them, both "
    "(B, heads, Q, N) -> (B, Q, N); .read((B, Q, N)) -> (B, h, w), what the logits' tokens take of "
    "each patch",
    "exit_attentions": "as attentions, the gradients being those of the logit that each layer's "
    "own tokens would give if they were the last layer's",
    "network": "the model as a torch module, images -> logits (B, K), in evaluation mode; it must "
    "come back as it was",
    "generator": "random numbers, seeded for each (run, sample, method)",
    "masks": "(B, H, W) int8 relevance grades, the truth: for controls only",
    "mean_mask": "(H, W) in [0, 1], average of the training masks that may be seen: for controls",
    "training_images": "(N, C, H, W) in [0, 1], read by rows: training_images[rows]; len() is N",
    "training_labels": "(N,) their classes",
    "training_masks": "(N, H, W) int8 grades, read by rows; zeros where the label fraction "
    "hides one, and .seen (N,) tells where it doesn't",
    "fitted": "what the method's fit has returned for this model: tensors by name",
}
# What a fit may ask for: it runs once for each trained model, before any image is explained.
FIT_WORDS = {
    **{name: METHOD_WORDS[name] for name in (
        "training_images", "training_labels", "training_masks", "predict", "network",
    )},
    "classes": "number of classes K",
    "device": "where the model lies",
    "generator": "a torch.Generator on the CPU, seeded for this model and method; torch's own is, "
    "too",
    "resumable": "callable: (steps, *parts) -> the numbers of the steps still to be done; after "
    "each the parts' state_dicts (modules, optimizers) are stored, and an interrupted fit goes on "
    "from there",
}  # fmt: skip
# These need attention among all tokens, and a CAM layer of tokens.
ATTENTION_WORDS = frozenset({"attentions", "exit_attentions"})
# These need a CAM layer; `class_weights` needs a linear head behind it, too.
LAYER_WORDS = ATTENTION_WORDS | {
    "activations", "gradients", "derive", "class_weights", "head", "layers",
    "layer_multipliers", "try_head", "record",
}  # fmt: skip
# These only a network that classifies can serve.
CLASSIFIER_WORDS = LAYER_WORDS | {
    "logits", "predict", "respond", "input_gradients", "differentiate", "multipliers",
    "target_logits", "integrate", "sum_over_biases", "network",
}  # fmt: skip
# These a model serves or not, whatever else it can.
OWN_WORDS = frozenset({"saliency", "class_maps", "evidence", "reconstruction"})
# What a method may say that it needs: all that some models serve and others don't, or attention.
ATTENTION = "attention"
NEEDS = CLASSIFIER_WORDS | OWN_WORDS | {ATTENTION}
# The groups of methods on the pages; another one is a method's own, and its row tells it.
METHOD_FAMILIES = frozenset({
    "cam", "gradient", "perturbation", "attention", "inherent", "learned", "control", "other",
})  # fmt: skip
# These only a run on a dataset has.
TRAINING_WORDS = frozenset({"training_images", "training_labels", "training_masks", "fitted"})
# These tell where the evidence lies.
MASK_WORDS = frozenset({"masks", "mean_mask"})
# Methods that ask for none of these explain no class in particular.
CLASS_WORDS = ATTENTION_WORDS | {
    "targets", "gradients", "derive", "class_weights", "layers", "try_head", "respond",
    "input_gradients", "differentiate", "multipliers", "layer_multipliers", "target_logits",
    "integrate", "record", "sum_over_biases", "network",
}  # fmt: skip
ANALYSIS_WORDS = {
    "embeddings": "(N, D) float32, what the last layer sees of each test image",
    "labels": "(N,) classes of the test images",
    "predictions": "(N,) classes that the model's own head predicts, None where it has none",
    "confidences": "(N, K) of that head, None where it has none",
    "samples": "(N,) names of the test images",
    "groups": "(N,) what each belongs to; empty for an image alone",
    "train_embeddings": "(M, D) float32, of the training images",
    "train_labels": "(M,) classes of the training images",
    "errors": "(N,) mean squared error of each test image's reconstruction",
    "train_errors": "(M,) the same of the training images",
    "restore": "callable: (noise, count) -> fidelity of noisy test images, and of what is drawn of "
    "them, (N,) by name, and pictures (count, 3, H, W, C) uint8: original, noisy, drawn",
    "pixel_confusion": "(N, 1 + K, 1 + K) pixels of each annotated test image by true class (rows) "
    "and predicted class, the background first",
    "segment": "callable: (rows) -> test images (n, H, W, 3) uint8, and the index of each pixel's "
    "true and predicted class (n, H, W): 0 background, 1 + k class k, -1 not known",
    "class_names": "the classes' names, K of them",
    "seed": "whole number for what is drawn at random, the same for the same model",
}
MEMBER = "member"
VOCABULARY: Mapping[str, Mapping[str, str]] = {
    "dataset": {"root": "folder that holds all data"},
    "model": {
        "classes": "number of classes K",
        "weights": "'none', 'imagenet' or the path of a state dict",
        "class_names": "the classes' names, K of them",
        "image_size": "side of the square images that it will get",
        MEMBER: "which network of a library, as resnet10t of timm/resnet10t",
    },
    "method": METHOD_WORDS,
    "metric": METRIC_WORDS,
    "analysis": ANALYSIS_WORDS,
}
KINDS = tuple(VOCABULARY)
FIT = "fit"


def plural(kind: str) -> str:
    """Return a kind's plural: the name of its package and of its group of entry points.

    >>> plural("method"), plural("analysis")
    ('methods', 'analyses')
    """
    return f"{kind.removesuffix('is')}es" if kind.endswith("is") else f"{kind}s"


@dataclass(frozen=True)
class Option:
    """A keyword-only argument: its type and its default."""

    type: Any
    default: Any


# What plugins of a kind may be told, whatever their functions take; LAYER if they read a layer.
CHECKPOINT, CLASS_ORDER, LAYER = "checkpoint", "class_order", "layer"
SHARED_OPTIONS: Mapping[str, Mapping[str, Option]] = {
    "model": {CHECKPOINT: Option(str, ""), CLASS_ORDER: Option(tuple[str, ...], ())},
    "method": {LAYER: Option(str, "")},
}


@dataclass(frozen=True)
class Signature:
    """What a plugin asks for (words) and what a user may set (options)."""

    words: tuple[str, ...]
    options: Mapping[str, Option]


def read_signature(kind: str, function: Callable[..., Any]) -> Signature:
    """Read a plugin's contract from its signature.

    Options that several plugins share are in a TypedDict, ``**name: Unpack[Shared]``; what isn't
    given is off: false, 0 or empty.

    Raises:
        XaibenchError: an argument is not in the vocabulary, or an option has no default or no type.
    """
    name = function.__name__
    if not name.isidentifier():  # a lambda's
        raise XaibenchError(f"{kind} {name}: a plugin needs a name; write it as a function, 'def'.")
    vocabulary = FIT_WORDS if kind == FIT else VOCABULARY[kind]
    types = typing.get_type_hints(function)
    words: list[str] = []
    options: dict[str, Option] = {}
    for argument in inspect.signature(function).parameters.values():
        if typing.get_origin(types.get(argument.name)) is typing.Unpack:
            options |= _shared_options(types[argument.name])
        elif argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise XaibenchError(
                f"{kind} {name}: '{argument}' hides what the plugin needs; name each argument."
            )
        elif argument.kind is argument.KEYWORD_ONLY:
            if argument.default is argument.empty or argument.name not in types:
                raise XaibenchError(
                    f"{kind} {name}: option '{argument.name}' needs a type and a default."
                )
            options[argument.name] = Option(types[argument.name], argument.default)
        elif argument.name in vocabulary:
            words.append(argument.name)
        else:
            raise XaibenchError(
                f"{kind} {name}: '{argument.name}' is not a word of the {kind} vocabulary"
                f"{did_you_mean(argument.name, vocabulary)}. The words are "
                f"{', '.join(vocabulary)}; options come after a '*'."
            )
    return Signature(tuple(words), options)


def _shared_options(unpacked: Any) -> dict[str, Option]:
    (shared,) = typing.get_args(unpacked)
    return {name: Option(kind, kind()) for name, kind in typing.get_type_hints(shared).items()}
