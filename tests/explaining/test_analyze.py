"""`xaibench analyze`: what is made, what is kept, and what is told."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from plugin_files import forget_plugin_files

from xaibench.core.errors import XaibenchError
from xaibench.core.model import Model
from xaibench.explaining.analyze import is_analyzed
from xaibench.explaining.observations import Observations
from xaibench.results.folder import Place
from xaibench.running.plan import make_plan
from xaibench.running.run import run_plan
from xaibench.setup.cells import Ledger
from xaibench.setup.selection import select

PLUGINS = '''
"""A classifier, an autoencoder and a segmentation network of a layer or two."""

import torch
from torch import Tensor, nn

import xaibench


@xaibench.model()
def nutshell(classes: int, weights: str) -> xaibench.Classifier:
    """Build one convolution."""
    layers = [nn.Conv2d(3, 4, 3, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return xaibench.Classifier(nn.Sequential(*layers, nn.Linear(4, classes)), cam_layer="0")


class Blurry(xaibench.Model):
    """Draws a third of what it sees."""

    classifies = False

    def __init__(self):
        super().__init__(cam_layer=None)
        self.share = nn.Parameter(torch.tensor(1 / 3))

    @property
    def abilities(self):
        return frozenset({"reconstruction"})

    def outputs(self, images, *, saliency=False):
        nothing = images.new_zeros(len(images), 0)
        return xaibench.Outputs(nothing, reconstruction=images * self.share)

    def embed(self, images):
        return images[:, 0, 8:12, 8]

    def loss(self, batch):
        return {"loss": (self.outputs(batch.images).reconstruction * 0).sum()}


@xaibench.model()
def blurry(classes: int, weights: str) -> Blurry:
    """Build it."""
    return Blurry()


class Edges(Blurry):
    """Takes the left third of each image for the last class, the rest for background."""

    @property
    def abilities(self):
        return frozenset({"class_maps"})

    def outputs(self, images, *, saliency=False):
        maps = images.new_zeros(len(images), 3, *images.shape[2:])
        maps[:, 0] = 0.5
        maps[:, 2, :, :10] = 0.9
        return xaibench.Outputs(images.new_zeros(len(images), 0), class_maps=maps)

    def loss(self, batch):
        return {"loss": self.share * 0}


@xaibench.model()
def edges(classes: int, weights: str) -> Edges:
    """Build it."""
    return Edges()


@xaibench.analysis(quantities={"spread": "standard deviation"}, bounds=(0, 9))
def spread(embeddings, *, fail: bool = False) -> xaibench.Findings:
    """Return the spread."""
    if fail and len(embeddings) < 20:  # a rehearsal has more
        raise RuntimeError("out of luck")
    return xaibench.Findings({"spread": float(embeddings.std())})
'''
TINY = {
    "dataset": "phantom[images=120]", "epochs": 1, "image_size": 32, "weights": "none",
    "device": "cpu",
}  # fmt: skip
WORDS = [part for key, value in TINY.items() for part in (f"--{key.replace('_', '-')}", value)]


@pytest.fixture(scope="module")
def plugin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugins") / "analyzed_plugins.py"
    path.write_text(PLUGINS, "utf-8")
    return path


@pytest.fixture
def analyze(call, plugin_file):
    """Call `xaibench analyze`."""

    def run(out, model, analysis, *more):
        asked = ("--model", model, "--analysis", analysis, "--plugin", plugin_file, "--out", out)
        return call("analyze", *WORDS, *asked, *more)

    return run


@pytest.fixture(scope="module")
def analyzed(plugin_file, tmp_path_factory):
    """Three models, analyzed in every way that each can serve. Read only."""
    out = tmp_path_factory.mktemp("analyzed") / "out"
    selection = select({
        **TINY, "models": ["nutshell", "blurry", "edges"], "methods": (), "metrics": (),
        "recipe": "published",
        "controls": False, "plugin": [str(plugin_file)], "out": str(out),
        "analyses": ["knn[k=3]", "anomaly[healthy=benign]", "pixel_accuracy"],
    })  # fmt: skip
    outcome = run_plan(selection, make_plan(selection), "a test")
    assert not outcome.failures
    yield selection
    forget_plugin_files()


def folder_of(selection, model, analysis):
    place = Place(selection.dataset_spec, "holdout", 0, model, 0)
    return selection.layout.analysis_folder(place, analysis)


def test_what_a_model_cannot_serve_is_skipped_with_the_reason(analyzed):
    skips = {skip.what: skip.reason for skip in make_plan(analyzed).skips}
    assert skips == {
        "anomaly[healthy=benign] on nutshell": "it has no reconstruction",
        "pixel_accuracy on nutshell": "it has no class_maps",
        "pixel_accuracy on blurry": "it has no class_maps",
        "anomaly[healthy=benign] on edges": "it has no reconstruction",
    }


def test_errors_are_mean_squares_of_the_test_images_in_order(analyzed):
    images = pd.read_csv(folder_of(analyzed, "blurry", "anomaly[healthy=benign]") / "images.csv")
    test = analyzed.split(0).test
    assert images["sample"].tolist() == [sample.id for sample in test]
    for sample, error in zip(test[:3], images["error"], strict=False):
        pixels = analyzed.loader.load(sample).image / 255
        assert error == pytest.approx(((pixels * 2 / 3) ** 2).mean(), rel=1e-5)
    states = images["class"].map({"benign": "healthy", "malignant": "sick"})
    assert images["state"].tolist() == states.tolist()


def test_pixels_are_counted_by_the_class_of_their_image(analyzed):
    table = pd.read_csv(folder_of(analyzed, "edges", "pixel_accuracy") / "confusion.csv")
    found = table.set_index("true_class").to_numpy()
    expected = np.zeros((3, 3), int)
    for sample in analyzed.split(0).test:
        truth = (analyzed.loader.load(sample).mask > 0) * (sample.label + 1)
        for columns, predicted in ((slice(0, 10), 2), (slice(10, None), 0)):
            expected[:, predicted] += np.bincount(truth[:, columns].ravel(), minlength=3)
    assert found.tolist() == expected.tolist()


def test_the_head_of_knn_is_the_runs_predictions(analyzed):
    images = pd.read_csv(folder_of(analyzed, "nutshell", "knn[k=3]") / "images.csv")
    predictions = pd.read_csv(analyzed.layout.out / "predictions.csv").set_index("sample")
    mine = predictions[predictions["model"] == "nutshell"].loc[images["sample"], "prediction"]
    assert images["head"].tolist() == mine.tolist()


def test_a_second_plan_has_nothing_to_do_and_another_option_only_its_own(analyzed):
    assert make_plan(analyzed).jobs == []
    given = analyzed.options.as_dict() | {"analyses": ["knn[k=3]", "knn[k=5]"]}
    jobs = make_plan(select(given)).jobs
    assert [(job.model, job.analyses) for job in jobs] == [
        (model, ("knn",)) for model in ("nutshell", "blurry", "edges")
    ]


@pytest.fixture
def copied(analyzed, tmp_path):
    """One of the models with one analysis, in a folder that a test may damage."""
    shutil.copytree(analyzed.layout.out, tmp_path / "copy")
    changed = {"out": str(tmp_path / "copy"), "models": ["nutshell"], "analyses": ["knn[k=3]"]}
    return select(analyzed.options.as_dict() | changed)


def find(selection, pattern):
    (path,) = selection.layout.out.glob(f"*/*/*/nutshell/**/{pattern}")
    return path


def test_a_damaged_table_is_made_again_from_the_embeddings_that_hold(copied):
    table, stored = find(copied, "images.csv"), find(copied, "train_embeddings.npy")
    whole, made = table.read_bytes(), stored.stat().st_mtime_ns
    table.write_bytes(whole[:50])
    assert not run_plan(copied, make_plan(copied), "a test").failures
    assert table.read_bytes() == whole
    assert stored.stat().st_mtime_ns == made


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 7])
def test_damaged_embeddings_are_made_again_the_same_in_any_batch(copied, batch_size):
    stored = find(copied, "train_embeddings.npy")
    whole = stored.read_bytes()
    np.save(stored, np.load(stored)[::-1])
    find(copied, "analysis.json").unlink()
    again = select(copied.options.as_dict() | {"batch_size": batch_size})
    run_plan(again, make_plan(again), "a test")
    assert stored.read_bytes() == whole


def test_embeddings_that_are_not_finite_are_an_error(copied, monkeypatch):
    find(copied, "train_embeddings.npy").unlink()
    ledger = Ledger(copied, 0, copied.models[0], 0)
    monkeypatch.setattr(Model, "embed", lambda _model, images: images[:, 0, 0] / 0)
    observations = Observations(ledger, copied.build(copied.models[0], 0))
    with pytest.raises(XaibenchError, match="some train embeddings are not finite; the training"):
        _ = observations.train_embeddings


def test_another_model_makes_new_analyses(analyzed, plugin_file, tmp_path):
    given = analyzed.options.as_dict() | {"models": ["nutshell"], "analyses": ["knn"]}
    selection = select(given | {"epochs": 2})
    ledger = Ledger(selection, 0, selection.models[0], 0)
    assert not is_analyzed(ledger, selection.analyses[0])
    assert make_plan(selection).trainings == [(0, "nutshell", 0)]


@pytest.mark.slow
def test_beside_a_run_its_model_is_taken_and_its_tables_stay(analyze, call, plugin_file, tmp_path):
    asked = ("--models", "nutshell", "--methods", "gradcam", "--metrics", "iou", "--no-controls")
    code, *_ = call("run", *WORDS, *asked, "--plugin", plugin_file, "--out", tmp_path)
    assert code == 0
    kept = {name: (tmp_path / name).read_bytes() for name in ("run.json", "scores.csv")}
    code, printed, told = analyze(tmp_path, "nutshell", "knn")
    assert code == 0, told
    assert "models to train: 0" in printed
    assert {name: (tmp_path / name).read_bytes() for name in kept} == kept
    document = (tmp_path / "leaderboard.md").read_text("utf-8")
    assert document.index("### Localization") < document.index("## Analyses")
    # Another training would take the place of the run's.
    for option in ("--epochs", "--replicas"):
        code, _, told = analyze(tmp_path, "nutshell", "knn", option, "2")
        assert code == 2
        assert told.strip().endswith(
            f"{option} 2: the run in {tmp_path} has 1; give its options, or another --out."
        )
    assert {name: (tmp_path / name).read_bytes() for name in kept} == kept


@pytest.mark.slow
def test_a_run_analyses_too_and_failures_cost_their_own(call, plugin_file, tmp_path):
    asked = ("--models", "nutshell", "--methods", "gradcam", "--metrics", "iou", "--no-controls")
    more = ("--analyses", "spread[fail=true],spread", "--plugin", plugin_file, "--out", tmp_path)
    code, _, told = call("run", *WORDS, *asked, *more)
    assert code == 3
    assert "failed: spread[fail=true] on nutshell, fold 0, seed 0: RuntimeError('out of" in told
    table = pd.read_csv(tmp_path / "analyses.csv")
    assert table["analysis"].tolist() == ["spread"]
    stored = np.load(next(tmp_path.glob("observations/**/embeddings.npy")))
    assert table["value"].item() == pytest.approx(stored.std())
    (record,) = tmp_path.glob("analyses/**/spread-fail=true/analysis.json")
    assert json.loads(record.read_text())["error"] == "RuntimeError('out of luck')"


@pytest.mark.parametrize(
    ("analysis", "said"),
    [
        ("knnn", "there is no analysis 'knnn' (did you mean 'knn'?); `xaibench list analyses`"),
        ("knn[k=0]", "knn[k=0]: choose 1 to 96"),
        ("pca[components=9]", "96 training embeddings of 4 dimensions have 2 to 4; choose as many"),
        ("knn,knn[k=5]", "--analyses: knn is named twice"),
        ("anomaly", "nothing is left to compute (anomaly on nutshell: it has no reconstruction)"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(analysis, said, analyze, tmp_path):
    code, printed, told = analyze(tmp_path / "out", "nutshell", analysis)
    assert (code, printed) == (2, "")
    assert said in told
    assert not (tmp_path / "out").exists()
