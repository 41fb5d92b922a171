"""A planted case for each sentence: what a board says follows from its scores."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from frames import NET, RUN, metric, rows_of, rows_on_board, run_of, save, write_board

from xaibench.report.facts.material import Material
from xaibench.report.facts.section import sections
from xaibench.report.judging.blind import blind_rows
from xaibench.report.judging.judge import judge
from xaibench.report.wording.boards import boards
from xaibench.report.wording.conclusions import conclusions
from xaibench.report.wording.headline import headline
from xaibench.report.wording.recommendation import recommendation

ORDER = np.random.default_rng(0).permutation(40)
METRICS = {name: metric() for name in ("iou", "precision", "pointing")}


def values(mean, width=0.08):
    return mean + np.linspace(-width, width, 40)[ORDER]


def said(run, *rows, by=headline):
    scores = pd.DataFrame([line for each in rows for line in each])
    (section,) = sections(Material.of(run, scores))
    more = {recommendation: pd.DataFrame(), conclusions: rows_on_board(scores, run)}
    return list(by(section, run, judge(section, run), *([more[by]] if by in more else [])))


def three(spn, gradcam):
    """SPN's and Grad-CAM's means by the three metrics."""
    return [
        rows_of(method, name, values(mean))
        for method, means in (("spn", spn), ("gradcam", gradcam))
        for name, mean in zip(METRICS, means, strict=True)
    ]


def test_the_headline_says_who_leads_by_the_other_metrics():
    run = run_of(metrics=METRICS)
    (text,) = said(run, *three((0.6, 0.3, 0.3), (0.4, 0.5, 0.5)))
    assert text.startswith("By iou ↑, `spn` on `resnet18` leads with 0.600")
    assert text.endswith(
        "The order depends on the metric: `gradcam` on `resnet18` leads by `precision` and "
        "`pointing`."
    )
    (text,) = said(run, *three((0.6, 0.6, 0.6), (0.4, 0.5, 0.5)))
    assert text.endswith("It also leads by all 2 other localization metrics.")


def test_the_headline_names_the_best_blind_control():
    blind = rows_of("center", "iou", values(0.2))
    (text,) = said(RUN, rows_of("spn", "iou", values(0.6)), blind)
    assert text.endswith("The best blind control is `center`, 0.200.")


def test_the_primary_metric_leads_and_is_tested_alone():
    protocol = RUN.protocol | {"primary": "pointing", "targets": {}, "metrics": {}}
    run = run_of(metrics=METRICS, protocol=protocol)
    rows = [
        rows_of(method, name, values(mean, 0.02)[:20])
        for method, mean in (("spn", 0.51), ("gradcam", 0.5), ("hirescam", 0.3))
        for name in METRICS
    ]
    assert said(run, *rows)[0].startswith("By pointing ↑, ")
    (section,) = sections(Material.of(run, pd.DataFrame([x for each in rows for x in each])))
    judged = judge(section, run)
    pairs = np.triu_indices(3, 1)
    alone, secondary = judged["pointing"].p[pairs], judged["precision"].p[pairs]
    # The same scores: three tests are corrected together, and six of the two others.
    assert (secondary >= alone).all()
    assert (secondary > alone).any()


def test_all_ones_is_no_rival_by_faithfulness_as_it_can_not_lose():
    run = run_of(metrics={"drop": metric("faithfulness", higher=False), "iou": metric()})
    scores = [
        *rows_of("gradcam", "drop", values(0.3)),
        *rows_of("all_ones", "drop", values(0.0, 0)),
        *rows_of("center", "drop", values(0.2)),
        *rows_of("all_ones", "iou", values(0.5)),
        *rows_of("center", "iou", values(0.2)),
    ]
    (section,) = sections(Material.of(run, pd.DataFrame(scores)))
    rival = {
        name: section.rows[blind_rows(section, run, name)["resnet18"]].method
        for name in ("drop", "iou")
    }
    assert rival == {"drop": "center", "iou": "all_ones"}


def trained(method, mean, by_fold, by_seed):
    """Scores of 200 images in five folds under three seeds; folds and seeds move all of them."""
    rows = []
    noise = np.random.default_rng(1).normal(0, 0.05, (3, 5, 40))
    for seed in range(3):
        for fold in range(5):
            lines = rows_of(
                method,
                "iou",
                mean + by_fold[fold] + by_seed[seed] + noise[seed, fold],
                fold=fold,
                seed=seed,
            )
            rows += [line | {"sample": f"{fold}-{line['sample']}"} for line in lines]
    return rows


def test_new_training_sets_have_a_sentence_of_their_own():
    still, moved = np.zeros(5), np.array([-0.1, 0.1, -0.08, 0.12, 0.01])
    run = run_of(metrics={"iou": metric()}, seeds=[0, 1, 2])
    rows = trained("spn", 0.5, moved, (0, 0, 0)), trained("gradcam", 0.46, still, (0, 0, 0))
    text = " ".join(said(run, *rows, by=conclusions))
    assert "It is significantly different from the other row" in text
    assert "new test images and to new trainings on the same training sets" in text
    assert "not significantly different from it: `gradcam` on `resnet18`." in text
    advice = " ".join(said(run, *rows, by=recommendation))
    assert (
        "the other row is significantly different from `spn` on `resnet18` (p < 0.001)." in advice
    )
    assert "With new training sets the other row is not significantly different." in advice


def test_skill_is_asked_for_where_masks_were_scored_alone():
    drops = run_of(metrics={"drop": metric("faithfulness", higher=False)})
    advised = [
        "Skill needs" in " ".join(said(run, *rows, by=conclusions))
        for run, name in ((RUN, "iou"), (drops, "drop"))
        for rows in [(rows_of("gradcam", name, values(0.6)), rows_of("spn", name, values(0.4)))]
    ]
    assert advised == [True, False]


def test_a_single_seed_says_that_it_can_not():
    rows = rows_of("spn", "iou", values(0.6)), rows_of("gradcam", "iou", values(0.4))
    text = " ".join(said(RUN, *rows, by=conclusions))
    assert "cover image sampling, not training variance" in text
    assert "New training sets are not covered" in text
    advice = " ".join(said(RUN, *rows, by=recommendation))
    assert "One training seed: training variance is not covered." in advice


def test_the_recommendation_names_one_several_or_none():
    best, twin = rows_of("spn", "iou", values(0.6)), rows_of("gradcam", "iou", values(0.6)[::-1])
    worst, blind = rows_of("hirescam", "iou", values(0.2)), rows_of("center", "iou", values(0.7))
    assert said(RUN, best, worst, by=recommendation)[0] == (
        "**Which:** `spn` on `resnet18`, 0.600 [0.58, 0.62] by iou ↑."
    )
    (both, sure, _) = said(RUN, best, twin, worst, by=recommendation)
    assert "or as well `gradcam` on `resnet18`, not significantly different from it." in both or (
        "or as well `spn` on `resnet18`, not significantly different from it." in both
    )
    assert "1 of 2 other rows are significantly different from `" in sure
    none = said(RUN, best, worst, blind, by=recommendation)[0]
    start = "**Which:** none. By iou ↑ no row is significantly better than `center` (0.700)"
    assert none.startswith(start)


def test_the_scorecard_leads_back_to_the_scores(tmp_path):
    scores = [
        *rows_of("gradcam", "iou", values(0.5)),
        *rows_of("gradcam", "drop", values(0.3)),
        *rows_of("center", "iou", values(0.2)),
    ]
    found = []
    for shift in (0, 1e-3):
        changed = [line | {"value": line["value"] + shift} for line in scores]
        folder = save(tmp_path / str(shift), RUN, changed)
        write_board(folder)
        found.append((folder / "scorecard.md").read_text("utf-8"))
    text = found[0]
    assert "| gradcam | resnet18 | 0.500 [0.48, 0.52] | 0.300 [0.28, 0.32] |" in text
    assert "plausibility of gradcam on resnet18: scores.csv: iou of gradcam on resnet18, 40" in text
    assert "center" not in text
    hashes = [[line[-12:] for line in each.splitlines() if "hash" in line] for each in found]
    assert len(hashes[0]) == 2
    assert not set(hashes[0]) & set(hashes[1])


@pytest.mark.parametrize("option", ["optimizer", "schedule", "class_weighting", "augmentation"])
def test_every_training_option_belongs_to_the_recipe(option):
    run = run_of(options={"epochs": 5})
    other = run_of(options={"epochs": 5, option: "other"})
    mine, its = (each.of_dataset("busi").recipes["resnet18"] for each in (run, other))
    assert {name for name in mine if mine[name] != its[name]} == {option}


def test_equivalence_is_shown_and_not_inferred_from_a_missing_difference():
    random = np.random.default_rng(3)
    best = random.uniform(0.4, 0.8, 40)
    scores = {
        "spn": best,
        "gradcam": best - 0.004 + random.normal(0, 0.002, 40),
        "hirescam": best - 0.02 + random.normal(0, 0.15, 40),
        "rise[a=x|y]": best - 0.2,
    }
    rows = [rows_of(method, "iou", scored) for method, scored in scores.items()]
    run = run_of(protocol=RUN.protocol | {"margin": 0.02})
    (text,) = [each for each in said(run, *rows, by=conclusions) if each.startswith("Within 0.02")]
    assert text == (
        "Within 0.02 of `spn` on `resnet18` by iou ↑: `gradcam` on `resnet18` is equivalent (two "
        "one-sided tests); none is noninferior, without being shown to be no better; `hirescam` on "
        "`resnet18` is neither significantly different nor shown to be noninferior."
    )
    lines = rows_on_board([line for each in rows for line in each], run)
    board = {row.method: row.estimates["iou"] for row in lines}
    assert board["gradcam"].noninferiority_p <= board["gradcam"].equivalence_p < 0.05
    assert np.isnan(board["spn"].equivalence_p)
    assert board["rise[a=x|y]"].noninferiority_p > 0.95
    assert not any(each.startswith("Within") for each in said(RUN, *rows, by=conclusions))
    (table, *_) = boards(lines, run)
    cells = table.cells("beside", "iou")
    assert [cells[method, NET].text for method in scores] == [
        "—",
        "equivalent",
        "not shown",
        "not shown",
    ]


def test_no_row_leads_by_a_metric_that_maps_without_a_network_win():
    why = "the best of 200 maps without a network, a blob, scores 0.7 and beats spn, 0.6"
    rows = three((0.6, 0.3, 0.6), (0.4, 0.5, 0.5))
    primary = replace(run_of(metrics=METRICS), won={"iou": why})
    (text,) = said(primary, *rows)
    assert text == f"By iou ↑ §, no row leads: {why} (`xaibench diagnose --gaming`)."
    assert said(primary, *rows, by=recommendation) == [
        f"**Which:** none, as {why} (`xaibench diagnose --gaming`)."
    ]
    board = rows_on_board([line for each in rows for line in each], primary)
    assert [row.estimates["iou"].rank_low for row in board] == [
        pytest.approx(np.nan, nan_ok=True)
    ] * 2
    assert all(row.estimates["pointing"].rank_low > 0 for row in board)
    secondary = replace(run_of(metrics=METRICS), won={"precision": why})
    (text,) = said(secondary, *rows)
    assert "`precision`" not in text
    assert text.startswith("By iou ↑, `spn` on `resnet18` leads with 0.600")


def test_rows_that_score_the_same_as_the_leader_have_no_detectable_difference():
    run = run_of(models={NET: {"paper": None}, "net": {"paper": None}})
    methods = ("gradcam", "hirescam", "spn")
    same = [rows_of(m, "iou", values(0.6), model=net) for net in (NET, "net") for m in methods]
    other = rows_of("rise[a=x|y]", "iou", values(0.2))
    (text,) = said(run, *same, other, by=conclusions)[:1]
    assert "the other one is worse" in text
    assert "detectable" not in text
