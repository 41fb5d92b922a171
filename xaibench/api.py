"""The public functions: a whole run, or one step of it on one's own tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn

from xaibench.callbacks.callback import BoardWritten, Callback
from xaibench.callbacks.find import make_callbacks
from xaibench.core.errors import XaibenchError
from xaibench.core.metric_words import METRIC_WORDS, RUN_WORDS
from xaibench.core.model import Reshape
from xaibench.core.passes.float32 import exact_float32
from xaibench.core.reading.opening import open_picture
from xaibench.core.registry import bind
from xaibench.explaining.explainer import Explainer, SaliencyMaps
from xaibench.explaining.inputs import check_images, on_device, wrap
from xaibench.explaining.own_maps import batch_of, score_maps
from xaibench.report.page.notebook import board_html
from xaibench.report.write import report_of
from xaibench.results.folder import GRID_FILE
from xaibench.results.stored_run import read_run
from xaibench.running.collect import load_scores
from xaibench.running.locks import settled
from xaibench.running.plan import make_plan
from xaibench.running.run import run_plan
from xaibench.setup.option_values import either, listed
from xaibench.setup.selection import select

_MAP_DIMENSIONS = 3
_METRICS = ("iou", "iou_area", "hit_rate", "mass_in_mask")
_MODEL_WORDS = frozenset(METRIC_WORDS) - RUN_WORDS - {"maps", "masks"}


@dataclass
class Results:
    """What a run left: ``scores`` and ``leaderboard`` as frames, ``failures`` by cell.

    A notebook shows the boards, with intervals drawn; ``out / "report.html"`` has everything.
    """

    out: Path
    scores: pd.DataFrame = field(repr=False)
    leaderboard: pd.DataFrame = field(repr=False)
    failures: dict[str, str] = field(default_factory=dict)

    def show(self) -> Image.Image:
        """Return pictures of some test images with all maps; a notebook shows them.

        Raises:
            XaibenchError: the run has no pictures.
        """
        path = self.out / GRID_FILE
        if not path.is_file():
            raise XaibenchError(f"{path}: no such file; a run with methods and maps writes it.")
        return open_picture(path).convert("RGB")

    def _repr_html_(self) -> str:
        return board_html(self.leaderboard, read_run(self.out))


def run(**options: Any) -> Results:
    """Train, explain, score and report, as ``xaibench run`` does; finished cells are kept.

    Args:
        **options: the command line's options with underscores, such as ``dataset="busi"``,
            ``methods=["gradcam", "spn"]``, ``mask_fraction=0.25``, ``out="results/busi"``;
            ``callbacks`` may hold a `Callback` itself, too.

    Raises:
        XaibenchError: an option, a file or a plugin is at fault.
    """
    told = listed(options.get("callbacks", ()))
    own = [callback for callback in told if isinstance(callback, Callback)]
    if own:
        options["callbacks"] = [callback for callback in told if callback not in own]
    selection = select(options)
    random_states = torch.random.fork_rng(devices=range(torch.cuda.device_count()))
    with random_states, make_callbacks(selection.options.callbacks, own) as callbacks:
        plan = make_plan(selection)
        outcome = run_plan(selection, plan, _as_written(options), callbacks=callbacks)
        if outcome.has_no_results:
            failed = "; ".join(f"{what}: {why}" for what, why in outcome.failures.items())
            raise XaibenchError(f"nothing is left to report ({failed}).")
        with settled(outcome.out):
            board, scores = report_of(outcome.out).board, load_scores(outcome.out)
        callbacks.on_board(BoardWritten(outcome.out, board))
    return Results(outcome.out, scores, board, outcome.failures)


def _as_written(options: dict[str, Any]) -> str:
    """Return the call, to be repeated; paths are written as texts, which are taken as well."""
    told = {name: str(v) if isinstance(v, Path) else v for name, v in options.items()}
    return f"xaibench.run({', '.join(f'{name}={value!r}' for name, value in told.items())})"


def explain(
    model: nn.Module,
    images: Tensor | np.ndarray,
    targets: Tensor | Sequence[int] | int | None = None,
    methods: Sequence[str] | str | None = None,
    *,
    method: Sequence[str] | str | None = None,
    device: str | torch.device | None = None,
    layer: str | None = None,
    reshape: Reshape | None = None,
    output: str | int | None = None,
    seed: int = 0,
    training_images: Tensor | np.ndarray | None = None,
) -> SaliencyMaps:
    """Explain any torch classifier.

    Args:
        model: returns logits ``(B, K)``, one logit ``(B, 1)`` of class 1 beside class 0, or
            probabilities; left as it was, no hooks, gradients or modes changed. To explain it again
            and again, make an `Explainer`.
        images: ``(B, C, H, W)`` as the model takes them.
        targets: class of each image, one class for all, or None for the predicted ones.
        methods: names with options, ``name[option=value]``; ``gradcam`` by default.
        method: the same, for one.
        device: where to run, such as ``cuda``; a model that is elsewhere is copied. By default the
            model's own.
        layer: the CAM layer's name; without it families of networks have theirs in a table
            (docs/howto/choose_a_layer.md), others the last map that all logits depend on.
        reshape: brings the layer's output to ``(B, D, h, w)`` where that form isn't found: a
            function that moves numbers alone, ``channels_first``, ``channels_last``, or
            ``tokens=HxW``.
        output: where the model returns several things, the name or number of what counts; where
            numbers in [0, 1] may be either, ``"logits"`` or ``"probabilities"``; both as
            ``"1:probabilities"``.
        seed: of methods that draw random numbers.
        training_images: ``(N, C, H, W)``, what methods learn from that learn first, as fastshap.

    Returns:
        For each method its saliency maps ``(B, H, W)`` in [0, 1], constant and non-finite ones as
        zeros; in float32, or as the model's in float64. Its ``statuses`` say what became of each
        map, its ``failures`` why a method has none.

    Raises:
        XaibenchError: no layer suits, a method asks for what this model has not, or none of them
            gives a map.
    """
    explainer = Explainer(
        model, layer=layer, reshape=reshape, output=output, device=device, fold=False,
        training_images=training_images,
    )  # fmt: skip
    return explainer(images, targets, methods, method=method, seed=seed)


@exact_float32()
def score(
    maps: Tensor | np.ndarray,
    masks: Tensor | np.ndarray,
    metrics: Sequence[str] | str | None = None,
    *,
    metric: Sequence[str] | str | None = None,
    device: str | torch.device | None = None,
    model: nn.Module | None = None,
    images: Tensor | np.ndarray | None = None,
    targets: Tensor | Sequence[int] | int | None = None,
    output: str | int | None = None,
) -> pd.DataFrame:
    """Score any saliency maps.

    Args:
        maps: ``(B, H, W)`` in [0, 1].
        masks: ``(B, H, W)``: boolean, or relevance grades with 0 for the background.
        metrics: names with options, by default ``iou``, ``iou_area``, ``hit_rate`` and
            ``mass_in_mask``; faithfulness metrics need ``model`` and ``images``.
        metric: the same, for one.
        device: as for `explain`.
        model: as `explain` takes it.
        images: ``(B, C, H, W)`` as the model takes them, covered by multiplication with the map.
        targets: classes explained; None for the predicted ones.
        output: as for `explain`.

    Returns:
        One row for each map and metric: ``map`` (its number), ``metric``, ``value``, ``status``.

    Raises:
        XaibenchError: shapes don't fit, maps leave [0, 1], or a metric lacks what it needs.
    """
    if isinstance(maps, dict):
        raise XaibenchError(f"give one method's maps, such as maps[{next(iter(maps), '')!r}].")
    maps, masks = torch.as_tensor(maps).detach().float(), torch.as_tensor(masks)
    if maps.ndim != _MAP_DIMENSIONS or not len(maps) or maps.shape != masks.shape:
        raise XaibenchError(
            f"maps and masks must both be (B, H, W), not {tuple(maps.shape)} and "
            f"{tuple(masks.shape)}."
        )
    named = listed(either(metrics, metric, "metric") or _METRICS)
    bound = list({(one := bind("metric", spec)).spec: one for spec in named}.values())
    model = None if model is None else on_device(model, device)
    for each in bound:
        words = set(each.plugin.signature.words)
        if words & RUN_WORDS:
            raise XaibenchError(f"metric {each.spec} asks the method itself: `xaibench run` it.")
        if (model is None or images is None) and words & _MODEL_WORDS:
            raise XaibenchError(f"metric {each.spec} needs model= and images=.")
    given = maps[:, None] if images is None or model is None else check_images(images, model)
    place = given.device if device is None else torch.device(device)
    given, maps, masks = given.to(place), maps.to(place), masks.to(place)
    if images is not None and (len(images), *images.shape[2:]) != tuple(maps.shape):
        raise XaibenchError(
            f"images must be (B, C, H, W) of the maps' size {tuple(maps.shape)}, not "
            f"{tuple(images.shape)}."
        )
    if not bool((masks.to(torch.int8) == masks).all()):
        raise XaibenchError("masks must be boolean or small whole grades; pass masks > 0.")
    wrapped = None if model is None or images is None else wrap(model, given, output=output)
    return score_maps(batch_of(maps, masks, given, wrapped, targets), maps, bound)
