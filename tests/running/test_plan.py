import pytest

from xaibench.core.errors import XaibenchError
from xaibench.core.registry import bind, plugins
from xaibench.explaining.trial import try_metric
from xaibench.setup.selection import control_plugins, select

MODELS = {"pocket", "pocket_saliency"}
NEW_MODELS = {(fold, model, seed) for fold in (0, 1) for model in MODELS for seed in (0, 1)}


@pytest.fixture(scope="module")
def replan(settings, finished_run, plan_of):
    def plan(**changed):
        return plan_of(settings, finished_run.out, **changed)

    return plan


def reasons(plan):
    return {skip.what: skip.reason for skip in plan.skips}


def missing(plan):
    return {(job.fold, job.model, job.seed): set(job.methods) for job in plan.jobs}


@pytest.mark.slow
def test_a_method_is_skipped_where_the_model_lacks_what_it_needs(replan):
    assert reasons(replan()) == {"spn on pocket": "pocket has no saliency"}


@pytest.mark.parametrize("controls", [True, False])
def test_a_method_that_no_model_serves_is_an_error_with_its_remedy(settings, plan_of, controls):
    with pytest.raises(XaibenchError, match=r"method spn .*pocket has no saliency.*saliency_net"):
        plan_of(settings, "x", models=("pocket",), methods=("spn",), controls=controls)


def test_without_masks_localization_and_mask_controls_are_skipped(settings, plan_of, tmp_path):
    plan = plan_of(settings, tmp_path, dataset="bare", models=("pocket",), methods=("gradcam",))
    assert [metric.spec for metric in plan.metrics] == ["drop_in_confidence"]
    controls = {f"{name} on pocket" for name in ("oracle", "average_mask", "ceiling")}
    skipped = {"iou", "hit_rate", *controls}
    assert reasons(plan) == dict.fromkeys(skipped, "bare has no masks")
    assert {"gradcam", "center"} <= set(plan.jobs[0].methods)
    assert not {"oracle", "average_mask"} & set(plan.jobs[0].methods)


def test_maps_that_are_learned_from_masks_need_some(settings, plan_of, tmp_path):
    # A network that never saw a mask would be on the board as learned, and explain by noise.
    wanted = {"models": ("pocket_saliency",), "methods": ("gradcam", "spn"), "controls": False}
    plan = plan_of(settings, tmp_path, dataset="bare", **wanted)
    assert reasons(plan)["spn on pocket_saliency"] == "bare has no masks to learn from"
    assert [job.methods for job in plan.jobs] == 4 * [("gradcam",)]


def test_nothing_left_to_compute_is_an_error_with_reasons(settings, plan_of):
    only = {"models": ("pocket",), "methods": ("gradcam",), "metrics": ("iou",)}
    with pytest.raises(XaibenchError, match=r"nothing is left.*bare has no masks"):
        plan_of(settings, "x", dataset="bare", **only)


def test_no_mask_budget_skips_the_average_mask(settings, plan_of, tmp_path):
    plan = plan_of(settings, tmp_path, mask_fraction=0)
    skipped = {what for what, reason in reasons(plan).items() if "mask-fraction" in reason}
    assert skipped == {f"average_mask on {model}" for model in MODELS}


def test_controls_join_once(settings):
    names = [method.spec for method in select({**settings, "methods": ("random", "spn")}).methods]
    assert sorted(names) == sorted({"spn", *(plugin.name for plugin in control_plugins())})
    assert len(control_plugins()) == sum(
        plugin.traits.family == "control" for plugin in plugins("method").values()
    )


def test_after_a_run_every_cell_is_done(replan):
    plan = replan()
    # On each of 2 folds and 2 seeds: gradcam and the controls twice, spn once.
    assert plan.done == plan.cells == 4 * (2 * (1 + len(control_plugins())) + 1)
    assert (plan.jobs, plan.trainings) == ([], [])


@pytest.mark.parametrize(
    "changed",
    [{"batch_size": 3}, {"controls": False}, {"metrics": ("hit_rate",)}, {"seeds": (1,)},
     {"methods": ("gradcam",)}, {"models": ("pocket_saliency",)}, {"device": "auto"}],
    ids=str,
)  # fmt: skip
def test_less_or_the_same_in_other_words_is_still_done(replan, changed):
    assert missing(replan(**changed)) == {}


def test_a_new_method_is_missing_alone(replan):
    plan = replan(methods=("gradcam", "spn", "flaky"))
    assert missing(plan) == {key: {"flaky"} for key in NEW_MODELS}
    assert plan.trainings == []


def test_a_new_metric_is_missing_in_every_cell_and_trains_nothing(replan):
    plan = replan(metrics=("iou", "iou[threshold=0.3]"))
    assert sum(len(job.methods) for job in plan.jobs) == plan.cells
    assert (plan.done, plan.trainings) == (0, [])


def test_a_new_seed_trains_alone(replan):
    plan = replan(seeds=(0, 1, 2))
    assert set(plan.trainings) == set(missing(plan)) == {(f, m, 2) for f in (0, 1) for m in MODELS}


def test_a_new_model_option_trains_alone(replan):
    plan = replan(models=("pocket", "pocket[width=4]", "pocket_saliency"))
    assert {model for _, model, _ in plan.trainings} == {"pocket[width=4]"}


@pytest.mark.parametrize(
    "changed",
    [{"epochs": 3}, {"mask_fraction": 0.5}, {"learning_rate": 0.1}, {"train_batch_size": 8},
     {"image_size": 40}, {"split_seed": 1}, {"limit": 22}],
    ids=str,
)  # fmt: skip
def test_what_training_depends_on_makes_everything_missing(replan, changed):
    plan = replan(**changed)
    assert set(plan.trainings) == NEW_MODELS
    assert plan.done == 0


def test_another_target_explains_again_but_trains_nothing(replan):
    plan = replan(target="predicted")
    assert (plan.done, plan.trainings) == (0, [])


def test_an_absent_or_damaged_model_takes_its_cells_with_it(
    settings, finished_copy, finished_run, plan_of
):
    before = plan_of(settings, finished_run.out)
    victim = finished_copy / "models/phantom-images=48/kfold-2-fold1/pocket/seed0/model.pt"
    victim.unlink()
    plan = plan_of(settings, finished_copy)
    assert plan.trainings == [(1, "pocket", 0)]
    assert before.done - plan.done == len(plan.jobs[0].methods) == 1 + len(control_plugins())


def test_limit_keeps_the_first_of_each_class(settings):
    whole = select({**settings, "dataset": "phantom[images=40,balance=0.3]"}).dataset.samples
    kept = select({**settings, "dataset": "phantom[images=40,balance=0.3]", "limit": 5})
    for label in (0, 1):
        expected = [sample for sample in whole if sample.label == label][:5]
        assert [s for s in kept.dataset.samples if s.label == label] == expected


def test_a_limit_beyond_a_class_keeps_all_of_it(settings):
    kept = select({**settings, "dataset": "phantom[images=40,balance=0.3]", "limit": 20})
    labels = [sample.label for sample in kept.dataset.samples]
    assert (labels.count(0), labels.count(1)) == (20, 12)


@pytest.mark.parametrize(
    "spec",
    ["iou[threshold=2]", "hit_rate[tolerance=3]", "road[noise=-1]", "pxap[bins=0]",
     "insertion[steps=0]", "sensitivity_max[samples=0]", "jaccard_by_grade[thresholds=0.9+0.5]"],
)  # fmt: skip
def test_a_wrong_option_of_a_metric_is_told_before_anything_is_trained(plan_of, small, spec):
    with pytest.raises(XaibenchError, match=spec.partition("[")[0]):
        plan_of({**small, "metrics": (spec,)}, "nowhere")


@pytest.mark.parametrize("name", plugins("metric"))
def test_every_metric_passes_its_rehearsal(name):
    try_metric(bind("metric", name))


def test_without_methods_classifiers_are_trained_and_nothing_is_scored(settings, plan_of, tmp_path):
    plan = plan_of(settings, tmp_path, methods=("none",))
    assert (plan.cells, plan.metrics, set(plan.trainings)) == (0, [], NEW_MODELS)
    assert not any(job.methods for job in plan.jobs)
    with pytest.raises(XaibenchError, match="no method and no analysis asks"):
        plan_of(settings, tmp_path, methods=("none",), models=("unet[backbone=resnet18]",))
    with pytest.raises(XaibenchError, match="--methods: name at least one"):
        plan_of(settings, tmp_path, methods=())
