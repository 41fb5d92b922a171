"""Rules about the maps that a method returns."""

from dataclasses import replace

import torch

from xaibench.checks.method_trial import COUNT, MethodTrial, Scene, alike, as_maps
from xaibench.checks.networks import SIZE
from xaibench.checks.rule import Broken, Doubtful, Rule, Skipped, asked_for, describe, rule
from xaibench.core.errors import Unsupported

RULES: list[Rule] = []
_GRAYS = {0.0: "black", 0.5: "gray", 1.0: "white"}
_TRUTH = ("masks", "mean_mask")


@rule(RULES, "only controls read the truth")
def leaves_the_truth_to_controls(trial: MethodTrial) -> None:
    """Only a control may ask for masks."""
    asked = [word for word in trial.words if word in _TRUTH]
    if asked and trial.plugin.traits.family != "control":
        raise Broken(
            f"it asks for {' and '.join(asked)}, the truth that it is scored by; declare "
            "family='control', or do without."
        )


@rule(RULES, "runs", gate=True)
def runs(trial: MethodTrial) -> None:
    """A method returns something for ordinary images, of a run's network and of a user's."""
    try:
        _ = trial.first, trial.lent
    except Unsupported:
        raise
    except Exception as error:
        said = f"{describe(error, trial.plugin)} {asked_for(error, trial.plugin)}"
        raise Broken(said) from error


@rule(RULES, "one map for each image", gate=True)
def gives_one_map_each(trial: MethodTrial) -> None:
    """``(B, h, w)``."""
    as_maps(trial.first.raw, COUNT)


@rule(RULES, "floating numbers, where the images lie")
def gives_floats(trial: MethodTrial) -> None:
    """Real floats on the images' device."""
    raw = trial.first.raw
    if not raw.is_floating_point():
        raise Broken(f"the maps are {raw.dtype}; return floats, such as maps.float().")
    if raw.device.type != "cpu":
        raise Broken(f"the maps lie on {raw.device} and the images don't; return maps.to(images).")


@rule(RULES, "upright maps")
def gives_upright_maps(trial: MethodTrial) -> None:
    """Height first: a map may be coarse, but not lie on its side."""
    height, width = trial.maps.shape[1:]
    if _fits(width, height) and not _fits(height, width):
        raise Broken(
            f"for images of {SIZE[0]} x {SIZE[1]} (height x width) the maps are {height} x {width}:"
            " they lie on their side; return (B, height, width)."
        )


@rule(RULES, "finite maps")
def gives_finite_maps(trial: MethodTrial) -> None:
    """No NaN, no infinity on ordinary images."""
    wrong = ~trial.maps.isfinite()
    if wrong.any():
        where = wrong.nonzero()[0].tolist()
        value = trial.maps[tuple(where)].item()
        raise Broken(
            f"ordinary images give {value} in {int(wrong.sum())} places, the first in map "
            f"{where[0]} at row {where[1]}, column {where[2]}; guard the division, root or "
            "logarithm behind it."
        )


@rule(RULES, "no NaN on constant images")
def bears_constant_images(trial: MethodTrial) -> None:
    """Images of a single gray give finite maps."""
    scene = Scene.ordinary()
    for gray, name in _GRAYS.items():
        maps = trial.ask(replace(scene, images=torch.full_like(scene.images, gray)))
        wrong = ~maps.isfinite()
        # What ordinary images spoil as well is another rule's affair.
        if wrong.any() and trial.maps.isfinite().all():
            raise Broken(
                f"a {name} image (all {gray}) gives {maps[wrong][0].item()}; a spread, a sum or a "
                "norm is zero there: divide by it only where it is positive."
            )


@rule(RULES, "maps that vary")
def gives_maps_that_vary(trial: MethodTrial) -> None:
    """A constant map marks nothing."""
    kept = trial.maps.isfinite().flatten(1).all(dim=1)
    finished = trial.finish()[kept].flatten(1)
    if trial.plugin.traits.blind or (finished.amax(dim=1) > finished.amin(dim=1)).any():
        return
    if kept.any():
        lost = trial.plugin.traits.sign == "relu" and (trial.maps[kept] <= 0).all()
        reason = (
            "all relevance is zero or negative, which sign='relu' drops; declare sign='abs' or "
            "'none' if it counts"
            if lost
            else "nothing in them depends on the place; declare blind=True if that is meant"
        )
        raise Doubtful(f"on ordinary images all maps are constant: {reason}.")


@rule(RULES, "values in [0, 1] where nothing rescales them")
def keeps_to_its_scale(trial: MethodTrial) -> None:
    """``rescale="none"`` promises probabilities; beyond them all is clamped, and lost."""
    traits = trial.plugin.traits
    if traits.rescale != "none":
        raise Skipped("maps are stretched to [0, 1] afterwards")
    maps = trial.maps.abs() if traits.sign == "abs" else trial.maps
    lowest = 0.0 if traits.sign == "relu" else maps.nan_to_num().min().item()
    highest = maps.nan_to_num().max().item()
    if lowest < 0 or highest > 1:
        raise Broken(
            f"it is declared with rescale='none', but its values go from {lowest:.3g} to "
            f"{highest:.3g} and are clamped to [0, 1]; declare rescale='minmax', or return "
            "probabilities."
        )


@rule(RULES, "blind controls see nothing")
def is_blind_if_declared(trial: MethodTrial) -> None:
    """``blind=True`` promises the same map for any image and mask."""
    if not trial.plugin.traits.blind:
        raise Skipped("it isn't declared blind")
    scene = Scene.ordinary()
    other = replace(scene, images=scene.images.flip(3), masks=scene.masks.flip(2))
    if "mean_mask" not in trial.words and not alike(trial.ask(other), trial.maps):
        raise Broken(
            "it is declared blind, but other images or masks give other maps; drop blind=True."
        )


@rule(RULES, "runs on the GPU")
def runs_on_the_gpu(trial: MethodTrial) -> None:
    """What a method makes lies where the images lie."""
    if not torch.cuda.is_available():
        raise Skipped("there is none here")
    raw = trial.observe(Scene.ordinary(), noise=1, device="cuda").raw
    if raw.device.type != "cuda":
        raise Broken(f"with images on the GPU its maps lie on {raw.device}; use maps.to(images).")
    as_maps(raw, COUNT)


def _fits(height: int, width: int) -> bool:
    """Whether a cell of such a map is a square of the image, within one cell's rounding."""
    steps = SIZE[0] / height, SIZE[1] / width
    return max(steps) / min(steps) < 1 + 1 / min(height, width)
