"""Records: what is malformed is named in one sentence, what earlier versions wrote is read."""

import ast
import json
from pathlib import Path

import pytest

import xaibench
from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import fingerprint
from xaibench.core.supervision import Supervision
from xaibench.results.integrity import as_json, intact_record, read_record, write_record
from xaibench.results.records import Made, MetricEntry, RunRecord
from xaibench.results.study_records import SealRecord, StudyRecord
from xaibench.results.work_records import (
    UNSAID,
    AnalysisRecord,
    CellRecord,
    FailedMetric,
    ModelRecord,
    PartRecord,
)

RUN = {"classes": ["a"], "methods": {}, "metrics": {}}
METRIC = {"family": "localization", "higher_is_better": True}
ABOUT = {"name": "n", "question": "q", "command": "c", "ordered": True}
ARM = {"point": "0", "model": "m", "series": "s", "level": "l"}
SCATTER = {"kind": "Scatter", "name": "plane", "title": "t", "columns": ["x", "y"]}
LINES = {"name": "k", "title": "t", "table": "../t", "x": "k", "y": ["a"], "y_label": "y"}
DEEP = []
for _ in range(400):
    DEEP = [DEEP]
MALFORMED = [
    (RunRecord, RUN | {"methods": []}, "entry 'methods' should be an object"),
    (RunRecord, {"methods": {}, "metrics": {}}, "entry 'classes' is missing"),
    (RunRecord, RUN | {"classes": "ab"}, "entry 'classes' should be a valid array"),
    (RunRecord, RUN | {"classes": [["a"]]}, "entry 'classes.0' should be a valid string"),
    (RunRecord, RUN | {"metrics": {"iou": METRIC | {"bounds": [0]}}}, "'metrics.iou.bounds.1' is"),
    (RunRecord, RUN | {"metrics": {"iou": {}}}, "'metrics.iou.higher_is_better' is missing"),
    (RunRecord, RUN | {"metrics": {"iou": METRIC | {"ranked": "yes"}}}, "'metrics.iou.ranked' sho"),
    (RunRecord, RUN | {"methods": {"cam": {"family": "cam", "sign": "x"}}}, "'methods.cam.sign' s"),
    (RunRecord, RUN | {"options": {"image_size": 200_000}}, "'options.image_size' should be less"),
    (RunRecord, RUN | {"options": {"plugin": [5]}}, "'options.plugin.0' should be a valid string"),
    (RunRecord, RUN | {"protocol": {"image_size": "32"}}, "'protocol.image_size'"),
    (RunRecord, RUN | {"protocol": {"targets": ["label"]}}, "'protocol.targets' should be an obj"),
    (RunRecord, RUN | {"seeds": [0.5]}, "'seeds.0' should be a valid integer"),
    (RunRecord, RUN | {"mask_fraction": 7}, "'mask_fraction' should be less than or equal to 1"),
    (RunRecord, RUN | {"supervision": {"net": {"kind": "x"}}}, "'supervision.net"),
    (RunRecord, RUN | {"compute": {"deep": DEEP}}, "recursion"),
    (RunRecord, RUN | {"schema": 99}, "was written by a later version of xaibench"),
    (RunRecord, [RUN], "holds no JSON object"),
    (StudyRecord, {"about": ABOUT, "arms": {}}, "entry 'arms' should be a valid array"),
    (StudyRecord, {"about": ABOUT, "arms": [ARM | {"point": "../x"}]}, "'arms.0.point' is wrong"),
    (StudyRecord, {"arms": []}, "entry 'about' is missing"),
    (ModelRecord, {"sha256": 5}, "entry 'sha256' should be a valid string"),
    (CellRecord, {"files": ["maps.npz"]}, "entry 'files' should be an object"),
    (CellRecord, {"files": {"../maps.npz": "0"}}, "entry 'files.../maps.npz.[key]' is wrong"),
    (CellRecord, {"failed_metrics": {"iou": "why"}}, "'failed_metrics.iou' should be an object"),
    (CellRecord, {"next": {"metrics": 5}}, "'next.metrics' should be an object"),
    (PartRecord, {"images": -1}, "entry 'images' should be greater than or equal to 0"),
    (PartRecord, {"costs": {"seconds": "1", "passes": 2}}, "'costs.seconds' should be a valid num"),
    (AnalysisRecord, {"pairs": [["a"]]}, "entry 'pairs.0.1' is missing"),
    (AnalysisRecord, {"figures": [SCATTER | {"name": "../x"}]}, "'figures' is wrong ('../x' can't"),
    (AnalysisRecord, {"figures": [LINES]}, "'figures' is wrong ('../t' can't be"),
    (AnalysisRecord, {"figures": [{"kind": "Pie"}]}, "entry 'figures.0"),
    (SealRecord, {"schema": 2, "files": {"/etc/x": "0"}}, "'files./etc/x.[key]' is wrong"),
]  # fmt: skip
CELL = CellRecord(
    schema=2, method="cam", maps="f", files={"maps-0.npz": "0"}, metrics={"iou": "g"},
    made_by=[Made(versions={"torch": "2"}, date="2026")],
    failed_metrics={"road": FailedMetric("no", "h")}, seconds_per_image=0.5,
)  # fmt: skip


def write(path, kind, content):
    """Write a record as it would be, but for its entries."""
    sealed = kind not in (RunRecord, StudyRecord) and isinstance(content, dict)
    seal = {"record_checksum": fingerprint(content)} if sealed else {}
    path.write_text(json.dumps({**content, **seal} if sealed else content), "utf-8")


@pytest.mark.parametrize(("kind", "content", "said"), MALFORMED)
def test_a_malformed_entry_is_named_in_one_sentence(tmp_path, caplog, kind, content, said):
    path = tmp_path / "record.json"
    write(path, kind, content)
    with pytest.raises(XaibenchError) as raised:
        read_record(path, kind)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert said in message
    assert message.endswith(".")
    assert "\n" not in message
    assert intact_record(path, kind) is None
    assert "doesn't count" in caplog.text


@pytest.mark.parametrize("text", ["", "{", "[" * 200_000, '{"a": ' * 200_000, "\0", "1" * 9999])
def test_what_is_no_json_is_damaged(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(XaibenchError, match=r"run\.json (is damaged|holds no JSON object)"):
        read_record(path, RunRecord)


def test_a_record_that_was_altered_or_has_no_checksum_is_damaged(tmp_path):
    path = tmp_path / "cell.json"
    write_record(path, CELL)
    for change in (lambda told: told.update(maps="x"), lambda told: told.pop("record_checksum")):
        told = as_json(CELL) | {"record_checksum": fingerprint(as_json(CELL))}
        assert json.loads(path.read_text()) == told
        change(told)
        path.with_name("other.json").write_text(json.dumps(told))
        with pytest.raises(XaibenchError, match="differs from its checksum"):
            read_record(path.with_name("other.json"), CellRecord)


def test_what_is_no_file_of_a_sane_size_is_refused(tmp_path):
    with (tmp_path / "run.json").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(XaibenchError, match="1073741824 bytes are no record"):
        read_record(tmp_path / "run.json", RunRecord)
    assert read_record(tmp_path / "none.json", RunRecord) is None
    with pytest.raises(XaibenchError):
        read_record(tmp_path, RunRecord)


def test_records_are_read_as_they_were_written(tmp_path):
    model = ModelRecord(sha256="0", supervision=Supervision("masks", 0.25))
    run = RunRecord(
        schema=2, classes=["a", "b"], methods={}, seeds=[3], options={"limit": 5, "own": [None]},
        metrics={"iou": MetricEntry(family="x", higher_is_better=False, bounds=(0, None))},
        supervision={"net": None, "other": Supervision("labels")},
    )  # fmt: skip
    for record in (CELL, model, run, ModelRecord(sha256="1", supervision=UNSAID)):
        write_record(tmp_path / "record.json", record)
        assert as_json(read_record(tmp_path / "record.json", type(record))) == as_json(record)
    assert run.metrics["iou"].limits == (0, float("inf"))
    assert run.metrics["iou"].sign == -1


def test_records_of_earlier_versions_are_read(tmp_path):
    write(tmp_path / "model.json", ModelRecord, {"sha256": "0", "supervision": None, "odd": 1})
    assert read_record(tmp_path / "model.json", ModelRecord).supervision == UNSAID
    write(tmp_path / "old.json", ModelRecord, {"sha256": "0"})
    assert read_record(tmp_path / "old.json", ModelRecord).supervision is None
    (tmp_path / "tables.json").write_text('{"scores.csv": "0"}')
    assert read_record(tmp_path / "tables.json", SealRecord).files == {"scores.csv": "0"}


@pytest.mark.slow
def test_records_are_read_by_their_fields_everywhere():
    """No other module reads JSON of a run's folder, or looks an entry of ``run.json`` up."""
    package, found = Path(xaibench.__file__).parent, []
    cache = package / "audit" / "known.py"  # of the user, not of a run
    for path in {*package.rglob("*.py")} - {cache}:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            looked_up = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
            owner = ast.unparse(node.value).split(".")[-1] if looked_up else ""
            raw = isinstance(node, ast.Name) and node.id == "read_json"
            if raw or (owner in {"run", "_run"} and isinstance(node.slice.value, str)):
                found.append(f"{path.relative_to(package)}:{node.lineno}: {ast.unparse(node)}")
    assert found == []
