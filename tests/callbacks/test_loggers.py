"""Both loggers with the real libraries, writing to a folder, read back by these."""

import math

import pandas as pd
import pytest

from xaibench.callbacks.callback import BoardWritten, CellEnd, EpochEnd, RunEnd, RunStart
from xaibench.callbacks.find import make_callbacks
from xaibench.results.folder import Place

MODEL = Place("busi", "kfold:5", 2, "saliency_net[loss=dice]", 7)
BOARD = pd.DataFrame({"model": ["a|b"], "iou[threshold=0.3]": [0.25], "pxap": [math.nan]})
pytestmark = pytest.mark.slow


def tell(spec, out, error=""):
    (out / "run").mkdir()
    callbacks = make_callbacks([spec])
    assert callbacks
    callbacks.on_run_start(RunStart(out / "run", {"seeds": (0, 7), "out": "x" * 9000}, "a command"))
    for epoch in (1, 2):
        values = {"train_loss": 1 / epoch, "validation_loss": math.nan}
        callbacks.on_epoch_end(EpochEnd(MODEL, epoch, values))
    scores = {"iou[threshold=0.3]": 0.25, "pxap": math.nan}
    callbacks.on_cell_end(CellEnd(MODEL, "rise[n=50%]", scores, {"seconds_per_image": 2.5}, {}))
    callbacks.on_board(BoardWritten(out / "run", BOARD))
    callbacks.on_run_end(RunEnd(error))
    assert callbacks, "it has failed"


def test_tensorboard_reads_back_curves_scores_and_the_board(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_multiplexer")
    tell("tensorboard", tmp_path, "a disk is full")
    found = (
        reader.EventMultiplexer()
        .AddRunsFromDirectory(str(tmp_path / "run" / "tensorboard"))
        .Reload()
    )
    network = "kfold-5-fold2/saliency_net-loss=dice/seed7"
    cell = next(name for name in found.Runs() if name.startswith(f"{network}/rise"))
    losses = found.Scalars(network, "training/train_loss")
    assert [(each.step, each.value) for each in losses] == [(1, 1.0), (2, 0.5)]
    assert found.Scalars(cell, "scores/iou[threshold=0.3]")[0].value == 0.25
    assert found.Scalars(cell, "costs/seconds_per_image")[0].value == 2.5
    texts = {tag: found.Tensors(".", f"{tag}/text_summary")[0].tensor_proto.string_val[0].decode()
             for tag in ("leaderboard", "error")}  # fmt: skip
    assert r"| a\|b | 0.25 | nan |" in texts["leaderboard"]
    assert texts["error"] == "a disk is full"


@pytest.mark.parametrize(("error", "status"), [("", "FINISHED"), ("a disk is full", "FAILED")])
def test_mlflow_reads_back_curves_scores_and_the_board(tmp_path, monkeypatch, error, status):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.chdir(tmp_path)  # where MLflow puts files
    uri = f"sqlite:///{tmp_path}/runs.db"
    tell(f"mlflow[uri={uri},experiment=mine]", tmp_path, error)
    client = mlflow.MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    network, whole = sorted(runs, key=lambda run: "mlflow.parentRunId" not in run.data.tags)
    assert network.data.tags["mlflow.parentRunId"] == whole.info.run_id
    assert {run.info.status for run in runs} == {status}
    assert whole.data.params["seeds"] == "0+7"
    assert (network.data.params["fold"], network.data.params["seed"]) == ("2", "7")
    losses = client.get_metric_history(network.info.run_id, "train_loss")
    assert sorted((each.step, each.value) for each in losses) == [(1, 1.0), (2, 0.5)]
    assert network.data.metrics["rise_n_50/iou_threshold_0.3"] == 0.25
    assert network.data.metrics["rise_n_50/seconds_per_image"] == 2.5
    path = client.download_artifacts(whole.info.run_id, "leaderboard.csv", str(tmp_path))
    pd.testing.assert_frame_equal(pd.read_csv(path), BOARD)
