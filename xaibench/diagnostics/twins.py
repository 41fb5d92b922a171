"""Twin networks: one learns that a marker gives the class away, for the other it says nothing."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam
from torch.optim.lr_scheduler import LinearLR

from xaibench.core.batch import Batch
from xaibench.core.data import Dataset
from xaibench.core.fingerprints import code_of, fingerprint
from xaibench.core.loading import Loaded, Loader
from xaibench.core.model import Model
from xaibench.core.passes.device import choose_device, place_images, place_model, set_up
from xaibench.core.plugin import Bound
from xaibench.core.progress import progress_bar
from xaibench.core.registry import bind
from xaibench.core.roots import open_dataset
from xaibench.core.seeds import seed_of
from xaibench.core.store import folder_name, write_with
from xaibench.setup.selection import Selection

# How often a marker agrees with the class.
TELLING, SILENT, LYING, ABSENT = 1.0, 0.5, 1e-9, 0.0
_IMAGES, _STEP, _RATE = 192, 16, 1e-3


def pictures(count: int, marked: float, *, size: int, seed: int, mask: str = "lesion") -> Loaded:
    """Draw phantoms: the same tissue for the same seed, whatever the markers."""
    spec = f"phantom[images={count},shortcut={marked},mask={mask},seed={seed}]"
    dataset: Dataset = open_dataset(bind("dataset", spec), "")
    return next(Loader(dataset, size).batches(dataset.samples, count))


def labels_of(loaded: Loaded, device: torch.device) -> Tensor:
    """Return the classes ``(B,)``."""
    return torch.tensor([sample.label for sample in loaded.samples], device=device)


def twin(selection: Selection, model: Bound, marked: float) -> Model:
    """Train a network on marked phantoms, or take the one that an earlier call left.

    Images stay as they are: the pipeline's rotations and crops would cut off the corners where the
    markers are. Both twins see the same tissue in the same order, from the same first weights.
    """
    options = selection.options
    path = selection.layout.out / "twins" / f"{folder_name(model.first_spec)}-{marked}.pt"
    made_from = fingerprint(model.first_spec, marked, options.epochs, options.image_size, _IMAGES,
                            code_of(Path(__file__), model.plugin.file,
                                    bind("dataset", "phantom").plugin.file))  # fmt: skip
    device = choose_device(options.device)
    network = place_model(selection.build(model, seed=0), device)
    stored = _read(path)
    if stored.get("made_from") == made_from:
        network.load_state_dict(stored["model"])
    else:
        _train(
            network,
            pictures(_IMAGES, marked, size=options.image_size, seed=0),
            options.epochs,
            f"{model.spec}, shortcut={marked}",
        )
        content = {"made_from": made_from, "model": network.state_dict()}
        write_with(path, lambda file: torch.save(content, file))
    return set_up(network, device)


def _train(network: Model, loaded: Loaded, epochs: int, title: str) -> None:
    device = next(network.parameters()).device
    images, labels = place_images(loaded.images, device), labels_of(loaded, device)
    masks = loaded.masks.to(device)
    optimizer = Adam(network.parameters(), lr=_RATE)
    # Toward the end steps become small, so that the last epoch is no outlier.
    pace = LinearLR(optimizer, start_factor=1, end_factor=0.05, total_iters=epochs)
    network.train()
    with torch.random.fork_rng(), progress_bar("train", title, epochs, unit="epoch") as bar:
        for epoch in range(epochs):
            torch.manual_seed(seed_of("twin", epoch))
            for rows in torch.split(torch.randperm(len(labels)).to(device), _STEP):
                all_seen = torch.ones_like(labels[rows], dtype=torch.bool)
                batch = Batch(
                    images[rows], labels[rows], masks[rows], all_seen, len(rows), len(rows)
                )
                loss = network.loss(batch)["loss"]
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                optimizer.step()
            pace.step()
            bar.advance(note=f"loss {loss.detach():.3f}")


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # absent or damaged: it is trained anew
        return {}
    return content
