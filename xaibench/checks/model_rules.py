"""Rules for models."""

import copy

import torch
from torch import Tensor

from xaibench.checks.model_trial import COUNT, Given, ModelTrial
from xaibench.checks.rule import Broken, Doubtful, Rule, Skipped, describe, rule
from xaibench.checks.state import isolated
from xaibench.core.contract import METHOD_WORDS, OWN_WORDS
from xaibench.core.model import evaluating
from xaibench.core.passes.device import set_up
from xaibench.core.passes.engine import Engine
from xaibench.core.passes.tape import Tape

RULES: list[Rule] = []
# Sums in another order; logits of untrained networks are near 1.
_TOLERANCE = 1e-4
_SHOWN = 3


@rule(RULES, "builds a Model", gate=True)
def builds(trial: ModelTrial) -> None:
    """From a number of classes, without any weights."""
    try:
        assert trial.model is not None
    except Broken:
        raise
    except Exception as error:
        said = describe(error, trial.plugin).removesuffix("; fix that.")
        raise Broken(
            f"for {trial.classes} classes {said}; fix that, or give --classes if its weights are "
            "made for another number."
        ) from error


@rule(RULES, "a logit for each class", gate=True)
def gives_logits(trial: ModelTrial) -> None:
    """``(B, K)``; none of models that don't classify."""
    logits = trial.given["logits"]
    if not trial.model.classifies:
        if logits.shape != (COUNT, 0):
            raise Broken(
                f"it says that it doesn't classify, but for {COUNT} images it gives logits "
                f"{tuple(logits.shape)}; return images.new_zeros(len(images), 0), or drop "
                "`classifies = False`."
            )
    elif logits.shape != (COUNT, trial.classes):
        raise Broken(
            f"for {COUNT} images and {trial.classes} classes it gives logits "
            f"{tuple(logits.shape)}; the last layer must have `classes` outputs (--classes, if its "
            "weights fix them), and no image may be lost."
        )


@rule(RULES, "takes images of any size")
def takes_any_size(trial: ModelTrial) -> None:
    """Also such that aren't square."""
    if trial.refusal and trial.sized:
        raise Skipped("it asks for `image_size`, and is built for that")
    if trial.refusal:
        raise Doubtful(
            f"it takes 224 x 224, but not 112 x 144 ({trial.refusal}); pool adaptively before the "
            "head, or say in the docstring which --image-size it needs."
        )


@rule(RULES, "finite outputs")
def gives_finite_outputs(trial: ModelTrial) -> None:
    """Also for images of a single gray."""
    grays = torch.stack([torch.full_like(trial.images[0], gray) for gray in (0.0, 0.5, 1.0)])
    constant = trial.look(trial.model, grays)
    for name, given in (("ordinary", trial.given), ("constant", constant)):
        for what, values in given.items():
            if not values.isfinite().all():
                raise Broken(
                    f"{name} images give NaN or infinite {what}; guard norms and divisions."
                )


@rule(RULES, "same outputs in any batch")
def sees_each_image_alone(trial: ModelTrial) -> None:
    """In evaluation mode nothing is drawn and nothing mixes images."""
    other = _different(trial.look(trial.model, trial.images, noise=2), trial.given)
    if other:
        raise Broken(
            f"in evaluation mode the same images give different {other}; make all that is random "
            "follow self.training, as nn.Dropout does."
        )
    alone = trial.look(trial.model, trial.images[:1], noise=2)
    other = _different(alone, {name: values[:1] for name, values in trial.given.items()})
    if other:
        raise Broken(
            f"an image has other {other} alone than in a batch; normalize with running statistics "
            "in evaluation mode, and never over the batch."
        )


@rule(RULES, "images untouched")
def leaves_images(trial: ModelTrial) -> None:
    """Images are shared."""
    images = trial.images.clone()
    with evaluating(trial.model), torch.no_grad(), isolated(0):
        trial.model.outputs(images)
    if not torch.equal(images, trial.images):
        raise Broken("it changes its images in place; work on a copy, such as normalize() makes.")


@rule(RULES, "abilities are words")
def has_known_abilities(trial: ModelTrial) -> None:
    """What the planner doesn't know no method can ask for."""
    unknown = trial.model.abilities - set(METHOD_WORDS)
    if unknown:
        raise Broken(
            f"abilities name {', '.join(sorted(unknown))}; the words are in core/contract.py: "
            "{...} | super().abilities."
        )


@rule(RULES, "maps of its own where they are promised")
def keeps_its_promises(trial: ModelTrial) -> None:
    """Saliency, class maps, a reconstruction: of the right shape, in [0, 1]; evidence adds up."""
    promised = sorted(OWN_WORDS & trial.model.abilities)
    if not promised and not trial.model.classifies:
        raise Broken(
            f"it neither classifies nor has {', '.join(sorted(OWN_WORDS))}; name what it gives in "
            "its abilities."
        )
    if not promised:
        raise Skipped("it promises none")
    for word in promised:
        values = trial.given.get(word)
        if values is None or not _fits(word, values, trial):
            shape = "nothing" if values is None else tuple(values.shape)
            raise Broken(
                f"for {COUNT} images and {trial.classes} classes outputs(images) gives {shape} as "
                f"{word}; return {METHOD_WORDS[word]}, or drop '{word}' from abilities."
            )
        if word == "evidence":
            if not _close(values.mean(dim=(2, 3)), trial.given["logits"]):
                raise Broken("its logits aren't the mean of its evidence over all positions.")
        elif not ((values >= 0) & (values <= 1)).all():
            raise Broken(f"its {word} leaves [0, 1]; end it with a sigmoid or a softmax.")


@rule(RULES, "a CAM layer")
def has_a_cam_layer(trial: ModelTrial) -> None:
    """A spatial layer on which the logits depend."""
    model = trial.model
    if not model.classifies:
        raise Skipped("it doesn't classify")
    if model.cam_layer is None and "evidence" in model.abilities:
        raise Skipped("its evidence is its own map")
    if model.cam_layer is None:
        raise Doubtful("cam_layer is None: all CAM methods will be skipped; name a spatial layer.")
    ready = set_up(copy.deepcopy(model), trial.images.device)
    with isolated(0):
        words = {"activations", "gradients"}
        tape = Tape(Engine(ready, fold=False), trial.images.clone(), words)
        rows = torch.arange(COUNT)
        gradients = tape.gradients(rows, torch.zeros_like(rows))
    if min(tape.activations.shape[2:]) < 2 or not gradients.isfinite().all():  # noqa: PLR2004
        raise Broken(
            f"the CAM layer '{model.cam_layer}' gives activations {tuple(tape.activations.shape)}; "
            "choose one before the pooling (`cam_layer=`)."
        )


@rule(RULES, "learns")
def learns(trial: ModelTrial) -> None:
    """``loss`` gives a finite number under "loss", whose gradients reach the parameters."""
    if trial.model.trained:
        raise Skipped("it comes trained and is used as it is")
    for masked in (False, True):
        model = copy.deepcopy(trial.model).train()
        with isolated(0):
            losses = model.loss(trial.batch(masked=masked))
            total = losses.get("loss")
            if not isinstance(total, Tensor) or total.ndim or not total.isfinite():
                raise Broken(
                    f"loss(batch) gives {total!r} under 'loss', with masks that may be seen: "
                    f"{masked}; return one finite number there, whatever is masked."
                )
            if not total.requires_grad:
                raise Broken("loss(batch)['loss'] hangs on no parameter; don't detach it.")
            total.backward()  # type: ignore[no-untyped-call]
        free = {name: p for name, p in model.named_parameters() if p.requires_grad}
        idle = [name for name, p in free.items() if p.grad is None]
        if any(p.grad is not None and not p.grad.isfinite().all() for p in free.values()):
            raise Broken("after one backward pass gradients are NaN or infinite; guard the loss.")
    if idle:
        more = f" and {len(idle) - _SHOWN} more" if len(idle) > _SHOWN else ""
        raise Doubtful(
            f"the loss never reaches {', '.join(idle[:_SHOWN])}{more}; leave them out, or freeze "
            "them: several processes wait for each parameter's gradient."
        )


@rule(RULES, "new parameters are its own")
def knows_its_new_parameters(trial: ModelTrial) -> None:
    """What no pretrained weights reach is part of the model, and not all of it."""
    fresh = trial.model.new_parameters()
    own = {id(p): p.numel() for p in trial.model.parameters()}
    if any(id(p) not in own for p in fresh) or len({id(p) for p in fresh}) < len(fresh):
        raise Broken(
            "new_parameters() names what isn't among parameters(), or one twice; return "
            "[*self.head.parameters()] and the like."
        )
    if "weights" not in trial.plugin.signature.words:
        return
    share = sum(p.numel() for p in fresh) / max(sum(own.values()), 1)
    if not 0 < share < 1:
        raise Doubtful(
            f"{'none' if not share else 'all'} of its parameters count as new, so that pretrained "
            "and fresh layers learn at one pace; let new_parameters() return the head's."
        )


@rule(RULES, "weights can be stored and read back")
def can_be_stored(trial: ModelTrial) -> None:
    """All that was learned is in the state dict."""
    other = trial.build(noise=1)
    other.load_state_dict(trial.model.state_dict())
    changed = _different(trial.look(other, trial.images), trial.given)
    if changed:
        raise Broken(
            f"built again, with its state dict loaded, it gives other {changed}: what it learns or "
            "draws isn't all in the state dict; hold it in nn.Parameter or register_buffer."
        )


def _fits(word: str, values: Tensor, trial: ModelTrial) -> bool:
    """Whether what a model has of its own is shaped as its word says (`core.contract`)."""
    if word == "reconstruction":
        return values.shape == trial.images.shape
    classes = {"saliency": (), "evidence": (trial.classes,), "class_maps": (1 + trial.classes,)}
    each = "evidence" if word == "saliency" and trial.model.class_saliency else word
    return values.shape[:-2] == (COUNT, *classes[each])


def _different(ours: Given, theirs: Given) -> str | None:
    """Return the name of the first output that differs by more than rounding."""
    return next((name for name in theirs if not _close(ours[name], theirs[name])), None)


def _close(ours: Tensor, theirs: Tensor) -> bool:
    return ours.shape == theirs.shape and torch.allclose(
        ours, theirs, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True
    )
