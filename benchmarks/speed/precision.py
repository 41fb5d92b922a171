"""What folded batch norms, TF32, bfloat16 and float16 change in maps of a run's trained networks.

    python benchmarks/speed/precision.py results/busi --methods gradcam,scorecam

The reference is plain float32; TF32, which no processor has, is emulated. Shown for each network
and method, over the test images: the largest difference of any pixel of the finished maps, the mean
over images of the largest one, and the correlation of the least alike pair of maps.
"""

import logging
from pathlib import Path

import click
import torch
from emulated import tf32
from torch import Tensor

import xaibench
from xaibench.core.passes.engine import Precision
from xaibench.core.store import read_json
from xaibench.setup.selection import select

VARIANTS: dict[str, tuple[Precision, bool]] = {
    "folded fp32": ("fp32", True),
    "tf32": ("tf32", True),
    "bf16": ("bf16", True),
    "fp16": ("fp16", True),
}
METHODS = "gradcam,gradcam_pp,layercam,eigencam,ablationcam,fullgrad,gradient,input_x_gradient"


@click.command()
@click.argument("run", type=Path)
@click.option("--methods", default=METHODS)
@click.option("--images", default=16, help="test images looked at")
def main(run: Path, methods: str, images: int) -> None:
    """Compare the maps of each trained network of a run."""
    logging.getLogger("xaibench").setLevel("ERROR")
    selection = select(read_json(run / "run.json")["options"])
    samples = selection.split(0).test[:images]
    pixels = next(iter(selection.loader.batches(samples, images))).images.float() / 255
    for bound in selection.models:
        model = selection.build(bound, 0, weights="none")
        (stored,) = (run / "models").glob(f"**/{model_folder(bound.spec)}/seed0/**/model.pt")
        model.load_state_dict(torch.load(stored, weights_only=True))
        model.eval()
        reference = xaibench.Explainer(model, fold=False)(pixels, methods=methods)
        for name, (precision, fold) in VARIANTS.items():
            with tf32():
                explainer = xaibench.Explainer(model, precision=precision, fold=fold)
                maps = explainer(pixels, methods=methods)
            for method, theirs in reference.items():
                told = maps.failures.get(method) or _compare(maps[method], theirs)
                click.echo(f"{bound.spec} | {method} | {name} | {told}")


def model_folder(spec: str) -> str:
    """Return a pattern for a model's folder."""
    return spec.partition("[")[0] + "*"


def _compare(ours: Tensor, theirs: Tensor) -> str:
    largest = (ours - theirs).abs().flatten(1).amax(dim=1)
    pairs = zip(ours.flatten(1), theirs.flatten(1), strict=True)
    alike = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs])
    return f"{largest.max():.2g} | {largest.mean():.2g} | {alike.nan_to_num(1).min():.3f}"


main()
