"""What a GPU gives otherwise the second time: ``python benchmarks/cuda_determinism.py``.

Explains the same phantoms twice with each method, by the same network of random weights and in the
same process, and once on the CPU. Prints a Markdown table of the largest differences of finished
maps in [0, 1]: between the two times, which kernels without a deterministic variant leave, and from
the CPU's. Then trains a small network twice, and says how far its weights are apart.
"""

import logging
import tempfile
from pathlib import Path

import torch
from torch import Tensor

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.passes.device import choose_device
from xaibench.core.registry import plugins
from xaibench.setup.selection import select

_MODEL, _IMAGES, _SIZE = "resnet50", 8, 224
_FAMILIES = ("cam", "gradient", "perturbation")
_PEERS = ("gradcam_lib",)  # other libraries' code
_TRAINING = {
    "dataset": "phantom[images=60]", "models": ("small_resnet",), "methods": ("gradcam",),
    "metrics": ("iou",), "controls": False, "weights": "none", "image_size": 64, "epochs": 3,
}  # fmt: skip


def explained(method: str, device: str) -> Tensor:
    """Return a method's maps ``(B, H, W)`` on the CPU."""
    selection = select({"dataset": "phantom", "models": (_MODEL,), "weights": "none",
                        "image_size": _SIZE, "device": device})  # fmt: skip
    samples = selection.dataset.samples[:_IMAGES]
    images = next(iter(selection.loader.batches(samples, _IMAGES))).images.float() / 255
    model = selection.build(selection.models[0], seed=0).eval().to(device)
    labels = torch.tensor([sample.label for sample in samples])
    maps = xaibench.Explainer(model)(images.to(device), targets=labels.to(device), methods=method)
    return maps[method].cpu()


def weights(out: Path) -> Tensor:
    """Return all weights of a network that is trained on the GPU."""
    xaibench.run(**_TRAINING, device="cuda", out=str(out))
    (path,) = out.glob("models/**/model.pt")
    stored = torch.load(path, map_location="cpu", weights_only=True)
    return torch.cat([tensor.float().flatten() for tensor in stored.values()])


def main() -> None:
    """Compare, and print."""
    logging.getLogger("xaibench").setLevel("ERROR")
    try:
        choose_device("cuda")  # and its deterministic kernels, where there are any
    except XaibenchError as error:
        raise SystemExit(f"there is no GPU to measure: {error}") from error
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}\n")
    print("| method | the second time | on the CPU |\n| --- | --- | --- |")
    for name, plugin in plugins("method").items():
        if plugin.traits.family in _FAMILIES and name not in _PEERS:
            first, second = explained(name, "cuda"), explained(name, "cuda")
            apart = [(other - first).abs().max() for other in (second, explained(name, "cpu"))]
            print(f"| {name} | {apart[0]:.2g} | {apart[1]:.2g} |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        one, two = (weights(Path(folder, name)) for name in ("one", "two"))
    print(f"\nweights after training twice: {(one - two).abs().max():.2g} apart")


if __name__ == "__main__":
    main()
