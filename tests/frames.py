"""Hand-made runs: frames as a run leaves them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from xaibench.core.fingerprints import fingerprint
from xaibench.report.facts.material import Material, read_material
from xaibench.report.facts.section import sections
from xaibench.report.judging.chapter import judge_all
from xaibench.report.judging.estimates import to_frame
from xaibench.report.judging.judge import judge
from xaibench.report.judging.leaderboard import leaderboard
from xaibench.report.write import write_tables
from xaibench.results.integrity import as_json, parse_record
from xaibench.results.records import RunRecord

NAN = float("nan")
NET = "resnet18"
METHODS = {
    "gradcam": ("cam", False),
    "hirescam": ("cam", False),
    "rise[a=x|y]": ("perturbation", False),
    "spn": ("learned", False),
    "center": ("control", True),
    "all_ones": ("control", True),
    "oracle": ("control", False),
}


def metric(family="localization", *, higher=True, ranked=True, estimand="per image"):
    return {
        "higher_is_better": higher,
        "family": family,
        "bounds": [0, 1],
        "ranked": ranked,
        "estimand": estimand,
    }


def said_of(**changes):
    """Return what a run.json says."""
    run = {
        "xaibench": "1.2.3",
        "dataset": "busi",
        "command": "xaibench run busi",
        "classes": ["benign", "malignant"],
        "mask_fraction": 0.25,
        "seeds": [0],
        "splits": {"holdout.csv": "c0ffee"},
        "models": {NET: {"paper": None}},
        "methods": {
            name: {"family": family, "blind": blind, "sign": "relu", "paper": None}
            for name, (family, blind) in METHODS.items()
        },
        "metrics": {
            "drop": metric("faithfulness", higher=False),
            "iou": metric(),
            "outside": metric(higher=False),
        },
    } | changes
    for name, about in run["metrics"].items():  # else those of the field, as in old runs
        about.setdefault("title", name.partition("[")[0])
    protocol = {
        "split": "holdout",
        "image_size": 160,
        "metrics": {name: f"code of {name}" for name in run["metrics"]},
        "targets": dict.fromkeys(run["metrics"], "label"),
    }
    run.setdefault("protocol", protocol)
    run["protocol_hash"] = fingerprint(run["protocol"])
    return run


def record_of(said):
    """Return a run.json as a record."""
    return parse_record(said, RunRecord, Path("run.json"))


def run_of(**changes):
    """Return the record of a hand-made run."""
    return record_of(said_of(**changes))


SAID = said_of()
RUN = run_of()


def rows_of(method, metric, values, *, seed=0, fold=0, model=NET, status="ok", dataset="busi"):
    return [
        {"dataset": dataset, "split": "holdout", "fold": fold, "model": model, "seed": seed}
        | {"method": method, "sample": f"s{index}", "metric": metric, "value": value}
        | {"status": status}
        for index, value in enumerate(values)
    ]


def predicted(labels, said, *, seed=0, model=NET, dataset="busi", **columns):
    count = len(labels)
    sure = columns.pop("sure", np.full(count, 0.75))
    said = np.asarray(said)
    frame = pd.DataFrame(rows_of("", "", labels, seed=seed, model=model, dataset=dataset))
    frame = frame.drop(columns=["method", "metric", "value", "status"])
    return frame.assign(
        group="", label=labels, prediction=said,
        confidence_0=np.where(said == 0, sure, 1 - sure),
        confidence_1=np.where(said == 1, sure, 1 - sure),
        **columns,
    )  # fmt: skip


def rows_on_board(scores, run=RUN, predictions=None, costs=None):
    material = Material.of(run, pd.DataFrame(scores), predictions, costs)
    judged = [(section, judge(section, run)) for section in sections(material)]
    return leaderboard(material, judged)


def board_of(scores, run=RUN, predictions=None, costs=None):
    return to_frame(rows_on_board(scores, run, predictions, costs), run.protocol_hash)


def save(folder, run, scores, predictions=None, costs=None):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(as_json(run)))
    pd.DataFrame(scores).to_csv(folder / "scores.csv", index=False)
    for name, table in (("predictions", predictions), ("costs", costs)):
        if table is not None:
            table.to_csv(folder / f"{name}.csv", index=False)
    return folder


def write_board(folder):
    """Write a folder's tables, without figures and page; return what they say."""
    contents = judge_all(read_material(folder), folder)
    write_tables(contents, folder)
    return contents
