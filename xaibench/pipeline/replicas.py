"""Training on several devices at once: one process for each, gradients averaged."""

import socket
from typing import Any

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from xaibench.core.model import Model
from xaibench.core.progress import log_to_terminal
from xaibench.core.registry import bind
from xaibench.pipeline.cells import Ledger
from xaibench.pipeline.options import RunOptions
from xaibench.pipeline.selection import Selection
from xaibench.pipeline.train import Trainer


def train_on_replicas(ledger: Ledger, model: Model) -> None:
    """Train ``model`` in ``--replicas`` processes, one GPU each (on the CPU: gloo).

    Every process loads the data itself and takes its share of each batch; the loss is normalised
    by the whole batch, so that the gradients are those of one process. Batch norms see their own
    share.
    """
    options = ledger.selection.options
    result = ledger.folder / "replica.pt"
    result.parent.mkdir(parents=True, exist_ok=True)
    job = {"options": options.as_dict(), "fold": ledger.fold, "model": ledger.model.spec,
           "seed": ledger.seed, "port": _free_port()}  # fmt: skip
    spawn(_work, args=(job,), nprocs=options.replicas)  # type: ignore[no-untyped-call]
    model.load_state_dict(torch.load(result, map_location="cpu", weights_only=True))
    result.unlink()


def _work(rank: int, job: dict[str, Any]) -> None:
    selection = Selection(RunOptions(**job["options"]))
    options = selection.options
    if rank == 0:
        log_to_terminal()
    cuda = options.device != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda", rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(max(torch.get_num_threads() // options.replicas, 1))
    distributed.init_process_group(
        "nccl" if cuda else "gloo",
        init_method=f"tcp://127.0.0.1:{job['port']}",
        rank=rank,
        world_size=options.replicas,
    )
    try:
        bound = bind("model", job["model"])  # a judge need not be one of the run's models
        ledger = Ledger(selection, job["fold"], bound, job["seed"])
        model = selection.build(bound, job["seed"])
        trainer = Trainer(
            model,
            selection.loader,
            selection.split(job["fold"]),
            options,
            seed=job["seed"],
            device=device,
            rank=rank,
        )
        trainer.train(ledger.folder, ledger.model_fingerprint, ledger.title)
        if rank == 0:
            torch.save(model.state_dict(), ledger.folder / "replica.pt")
    finally:
        distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
