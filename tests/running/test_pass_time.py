"""A plan's networks are built once: looked at and timed."""

from xaibench.running.estimate import estimate_seconds
from xaibench.running.plan import make_plan
from xaibench.setup.selection import Selection, select


def test_a_timed_plan_builds_each_network_once(settings, tmp_path, monkeypatch):
    built, build = [], Selection.build

    def count(selection, model, *arguments, **options):
        built.append(model.spec)
        return build(selection, model, *arguments, **options)

    monkeypatch.setattr(Selection, "build", count)
    selection = select({**settings, "out": str(tmp_path)})
    plan = make_plan(selection, timed=True)
    assert built == [model.spec for model in selection.models]
    assert estimate_seconds(selection, plan) > 0
    assert len(built) == 2


def test_the_estimate_counts_three_passes_for_a_training_step_and_two_for_each_map(small, tmp_path):
    selection = select({**small, "out": str(tmp_path)})
    plan = make_plan(selection)
    plan.pass_seconds = {"pocket": 0.5}
    split = selection.split(0)
    train, validation, test = map(len, (split.train, split.validation, split.test))
    # 2 epochs; predictions, and maps of one method that are made and scored.
    passes = 2 * (3 * train + 2 * validation) + 3 * test
    assert estimate_seconds(selection, plan) == 0.5 * passes
