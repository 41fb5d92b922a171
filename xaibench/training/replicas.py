"""Training on several devices at once: one process for each, gradients averaged."""

import multiprocessing
import socket
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import distributed
from torch.multiprocessing.spawn import ProcessContext, ProcessRaisedException, spawn

from xaibench.core.model import Model
from xaibench.core.passes.device import choose_device, repeatable
from xaibench.core.progress import Bar, progress_bar
from xaibench.core.registry import bind
from xaibench.core.supervision import Supervision
from xaibench.executors.outcome import Outcome, portable
from xaibench.results.folder import HISTORY_FILE
from xaibench.setup.cells import Ledger
from xaibench.setup.options import RunOptions
from xaibench.setup.selection import Selection
from xaibench.training.history import summarize
from xaibench.training.train import Trainer

_LOOK_SECONDS = 0.5


def train_on_replicas(ledger: Ledger, model: Model) -> Supervision:
    """Train ``model`` in ``--replicas`` processes, one GPU each (on the CPU: gloo).

    Every process loads the data itself and takes its share of each batch; the loss is normalized
    by the whole batch, so that the gradients are those of one process. Batch norms see their own
    share.

    Returns:
        What the training has learned from.

    Raises:
        Exception: what a replica raised.
    """
    options = ledger.selection.options
    result = ledger.folder / "replica.pt"
    result.parent.mkdir(parents=True, exist_ok=True)
    job = {
        "options": options.as_dict(),
        "fold": ledger.fold,
        "model": ledger.model.spec,
        "seed": ledger.seed,
        "port": _free_port(),
    }
    history = ledger.folder / HISTORY_FILE
    before = _written(history)
    with progress_bar("train", ledger.title, options.epochs, unit="epoch") as bar:
        errors: SimpleQueue[Outcome] = multiprocessing.get_context("spawn").SimpleQueue()
        # Daemons end with this process, however it ends.
        workers = spawn(_work, (job, errors), options.replicas, join=False, daemon=True)  # type: ignore[no-untyped-call]
        shown = 0
        while not _ended(workers, errors):
            if _written(history) != before:
                shown = _show_epochs(bar, history, shown)
        if _written(history) != before:
            _show_epochs(bar, history, shown)
    made = torch.load(result, map_location="cpu", weights_only=True)
    model.load_state_dict(made["model"])
    result.unlink()
    return Supervision(**made["supervision"])


def _ended(workers: ProcessContext, errors: "SimpleQueue[Outcome]") -> bool:
    """Wait a moment for all; raise what the first raised that failed."""
    try:
        return bool(workers.join(_LOOK_SECONDS))
    except ProcessRaisedException as error:
        raise (errors.get().error or error) from None


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


def _show_epochs(bar: Bar, history: Path, shown: int) -> int:
    """Show the epochs beyond those that were; return how many there are now."""
    rows = pd.read_csv(history).to_dict("records")
    for row in rows[shown:]:
        bar.advance(note=summarize({str(name): value for name, value in row.items()}))
    return len(rows)


def _work(rank: int, job: dict[str, Any], errors: "SimpleQueue[Outcome]") -> None:
    try:
        _train_share(rank, job)
    except Exception as error:
        errors.put(portable(Outcome(error=error)))
        raise


def _train_share(rank: int, job: dict[str, Any]) -> None:
    selection = Selection(RunOptions(**job["options"]))
    options = selection.options
    cuda = choose_device(options.device).type == "cuda"
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
        with repeatable(device):
            _train_as(rank, job, selection, device)
    finally:
        distributed.destroy_process_group()


def _train_as(rank: int, job: dict[str, Any], selection: Selection, device: torch.device) -> None:
    bound = bind("model", job["model"])  # a judge need not be one of the run's models
    ledger = Ledger(selection, job["fold"], bound, job["seed"])
    model = selection.build(bound, job["seed"])
    trainer = Trainer(
        model,
        selection.loader,
        selection.split(job["fold"], job["seed"]),
        selection.options,
        seed=job["seed"],
        device=device,
        rank=rank,
    )
    trainer.train(ledger.folder, ledger.model_fingerprint, ledger.title)
    if rank == 0:
        made = {"model": model.state_dict(), "supervision": trainer.supervision.as_record()}
        torch.save(made, ledger.folder / "replica.pt")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
