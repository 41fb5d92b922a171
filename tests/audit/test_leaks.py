import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from xaibench.audit.audit import audit
from xaibench.audit.leaks import find_leaks, say_unaudited
from xaibench.core.data import Dataset, Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.store import read_json, write_json
from xaibench.running import plan as planning
from xaibench.running.describe_plan import describe_plan
from xaibench.running.plan import make_plan
from xaibench.running.run_record import save_split
from xaibench.setup.selection import select


@pytest.fixture
def place(tmp_path):
    """Two classes of noise; one image is in both under another name."""
    for number in range(24):
        pixels = np.random.default_rng(number).integers(0, 256, (18, 26), np.uint8)
        path = tmp_path / "scans" / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path / "scans"


@pytest.fixture
def given(small, place, tmp_path):
    return {**small, "dataset": f"folder[path={place}]", "out": str(tmp_path / "out"),
            "metrics": ("drop_in_confidence",), "methods": ("gradcam",), "epochs": 1,
            "split": "kfold:3"}  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """What audits of other tests have found is none of ours."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def parted(selection):
    """An image of each of two parts of the first fold."""
    split = selection.split(0)
    return split.train[0], split.test[0]


def test_no_warning_without_copies(given):
    assert make_plan(select(given)).warnings == []


def test_a_file_in_two_parts_is_a_warning_in_plan_and_run(given, run_cells, tmp_path):
    one, other = parted(select(given))
    shutil.copy(one.path, other.path)
    selection = select(given)
    plan = make_plan(selection)
    first = plan.warnings[0]
    assert first.startswith(
        "leak: fold 0: the same image file is in two parts under two names, 1 times"
    )
    assert f"{one.id} (train)" in first
    assert f"{other.id} (test)" in first
    assert "xaibench audit" in first
    assert "--groups" in first
    assert f"  warning: {first}" in describe_plan(selection, plan)
    run_cells(given, tmp_path / "out")
    assert read_json(tmp_path / "out/run.json")["warnings"] == plan.warnings


def test_groups_mend_it_and_change_what_is_stored(given, tmp_path):
    one, other = parted(select(given))
    shutil.copy(one.path, other.path)
    table = tmp_path / "groups.csv"
    table.write_text(f"sample,group\n{one.id},g\n{other.id},g\n", "utf-8")
    before, after = select(given), select({**given, "groups": str(table)})
    assert make_plan(after).warnings == []
    for fold in after.folds:
        split = after.split(fold)
        for part in (split.train, split.validation, split.test):
            assert len({one.id, other.id} & {each.id for each in part}) in (0, 2)
    places = [planning.Ledger(s, 0, s.models[0], 0).model_fingerprint for s in (before, after)]
    assert len(set(places)) == 2


def test_groups_of_images_beyond_the_limit_still_join(given, tmp_path):
    ids = [sample.id for sample in select(given).dataset.samples if sample.label == 0]
    table = tmp_path / "groups.csv"
    table.write_text(f"sample,group\n{ids[0]},g\n{ids[-1]},g\n{ids[-1]},g\n{ids[1]},g\n", "utf-8")
    limited = select({**given, "groups": str(table), "limit": 9}).dataset
    assert [sample.group for sample in limited.samples[:3]] == [ids[0], ids[0], ""]
    assert ids[-1] not in {sample.id for sample in limited.samples}


def test_a_missing_table_is_told_before_any_work(given):
    with pytest.raises(XaibenchError, match=r"--groups nowhere\.csv"):
        make_plan(select({**given, "groups": "nowhere.csv"}))


def test_a_leaking_split_stops_the_plan(given):
    selection = select(given)
    split = selection.split(1)
    object.__setattr__(split, "test", (*split.test, split.train[0]))
    with pytest.raises(XaibenchError, match=f"sample '{split.train[0].id}' is in train"):
        make_plan(selection)


def test_samples_of_one_file_are_not_compared(given):
    selection = select(given)
    samples = selection.dataset.samples
    shared = [type(s)(s.id, samples[0].path, s.label) for s in samples]
    assert find_leaks(shared, {0: selection.split(0)}) == []


@pytest.fixture
def patients(tmp_path, given):
    """Published parts that share one patient; the others have two images each."""
    names = ("NORMAL/IM-{:04}-{}", "PNEUMONIA/person{}_virus_{}")
    for number in range(40):
        patient, part = 1 + number // 4, ("train", "test")[number // 2 % 2]
        stranger = patient + 100 if part == "test" and number > 3 else patient
        name = names[number % 2].format(stranger, number)
        pixels = np.random.default_rng(number).integers(0, 256, (18, 26), np.uint8)
        path = tmp_path / "chest_xray" / part / f"{name}.jpeg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return {**given, "dataset": "chest_xray", "data_root": str(tmp_path)}


def test_a_patient_in_two_published_parts_is_a_warning(patients):
    selection = select({**patients, "split": "official"})
    plan = make_plan(selection)
    assert len(plan.warnings) == 1
    assert plan.warnings[0].startswith("leak: fold 0: the parts as they were given share 2 groups")
    assert "'IM-0001' in train and test" in plan.warnings[0]
    assert "--split holdout" in plan.warnings[0]
    assert f"  warning: {plan.warnings[0]}" in describe_plan(selection, plan)
    assert make_plan(select({**patients, "split": "holdout"})).warnings == []


def test_a_stored_split_that_parts_groups_is_a_warning_too(tmp_path, given):
    # Groups that were found after a split was published don't take its boards away.
    given = {**given, "dataset": "phantom[images=40]", "data_root": ""}
    selection = select({**given, "split": "kfold:2"})
    for fold in selection.folds:
        save_split(selection, fold)
    groups = tmp_path / "groups.csv"
    split = selection.split(0)
    pair = [split.train[0].id, split.test[0].id]
    groups.write_text("\n".join(["sample,group", *(f"{each},pair" for each in pair), ""]), "utf-8")
    stored = {"split": f"file:{selection.layout.out / 'splits'}", "groups": str(groups)}
    plan = make_plan(select({**given, **stored}))
    told = [each for each in plan.warnings if each.startswith("leak")]
    assert told[0].startswith("leak: fold 0: the parts as they were given share 1 groups")
    assert "in train and test" in told[0]
    assert len(told) == 2  # in fold 1 they change sides


def test_a_sample_in_two_published_parts_stops_the_plan(patients):
    selection = select({**patients, "split": "official"})
    split = selection.split(0)
    object.__setattr__(split, "test", (*split.test, split.train[0]))
    with pytest.raises(XaibenchError, match=f"sample '{split.train[0].id}' is in train"):
        make_plan(selection)


def draw(path, number, change=np.asarray):
    """A smooth picture of its own for each number, large enough to be compared."""
    noise = np.random.default_rng(number).normal(size=(60, 84))
    gray = 120 + 300 * gaussian_filter(noise, 1.5)
    Image.fromarray(np.ascontiguousarray(change(gray.clip(0, 255).astype(np.uint8)))).save(path)


@pytest.fixture
def redrawn(given):
    """Pictures in the place of noise; one of the test part is another's mirror image, cropped."""
    samples = select(given).dataset.samples
    for number, sample in enumerate(samples):
        draw(sample.path, number)
    one, other = parted(select(given))
    draw(other.path, samples.index(one), lambda gray: gray[:52, ::-1])
    return given, one, other


def test_a_plan_knows_what_an_audit_found_and_says_if_there_was_none(redrawn):
    given, one, other = redrawn
    selection = select(given)
    plan = make_plan(selection)
    assert plan.warnings == []
    assert plan.notes == [
        "never audited: near-duplicates may be in two parts; look for them with `xaibench audit "
        f"--dataset '{given['dataset']}'`"
    ]
    assert f"  note: {plan.notes[0]}" in describe_plan(selection, plan)
    assert audit(selection.dataset).groups == dict.fromkeys(sorted((one.id, other.id)),
                                                           min(one.id, other.id))  # fmt: skip
    plan = make_plan(select(given))
    assert plan.notes == []
    warning = plan.warnings[0]
    assert warning.startswith("leak: fold 0: images that show the same are in two parts, 1 times")
    assert f"{one.id} (train)" in warning
    assert f"{other.id} (test)" in warning


@pytest.mark.slow
def test_a_part_of_what_was_audited_is_known_and_what_came_later_is_not(redrawn):
    given, one, _ = redrawn
    audit(select(given).dataset)
    assert make_plan(select({**given, "limit": 10})).notes == []
    draw(one.path, 99)
    plan = make_plan(select(given))
    assert (len(plan.notes), plan.warnings) == (1, [])
    audit(select(given).dataset)
    assert make_plan(select(given)).notes == []


def test_what_was_found_in_the_same_images_is_not_looked_for_again(redrawn, tmp_path):
    dataset = select(redrawn[0]).dataset
    audit(dataset)
    (stored,) = (tmp_path / "cache/xaibench/audits").iterdir()
    write_json(stored, {**read_json(stored), "pairs": []})
    assert audit(dataset).groups == {}
    stored.write_text("{}")
    assert len(audit(dataset).groups) == 2


def test_of_drawn_images_and_of_shipped_groups_nobody_asks_for_an_audit():
    samples = tuple(Sample(str(n), Path(f"{n}"), n % 2) for n in range(4))
    assert say_unaudited(Dataset(("a", "b"), samples), "drawn", None) == []
    here = tuple(Sample(str(n), Path(__file__), n % 2) for n in range(4))
    assert len(say_unaudited(Dataset(("a", "b"), here), "files", None)) == 1
    assert say_unaudited(Dataset(("a", "b"), here, audited=True), "busi", None) == []
