"""``leaderboard.md``: what may be concluded first, then the boards, then what they mean."""

from collections.abc import Iterator
from pathlib import Path

from xaibench.core.completeness import TOLERANCE
from xaibench.core.markdown import markdown_table, plain
from xaibench.report.facts.dataset_names import dataset_name
from xaibench.report.judging.agreement import agreement_lines, identical_rows
from xaibench.report.judging.chapter import Chapter, Contents
from xaibench.report.judging.decision import decisions_to_markdown
from xaibench.report.judging.noninferior import margin_of
from xaibench.report.judging.reach import CEILING, ORACLE
from xaibench.report.judging.slices import FEWEST_GROUPS
from xaibench.report.wording.analysis_document import analyses_to_markdown
from xaibench.report.wording.beside import ABOUT as ABOUT_MARGIN
from xaibench.report.wording.boards import boards, cost_board, is_promised
from xaibench.report.wording.classification_tables import (
    classification_to_markdown,
    per_class_to_markdown,
)
from xaibench.report.wording.conclusions import conclusions
from xaibench.report.wording.definitions import definitions
from xaibench.report.wording.markdown import board_to_markdown, bullets
from xaibench.report.wording.recommendation import recommendation
from xaibench.report.wording.repeats import repeats_to_markdown
from xaibench.report.wording.slice_tables import slices_to_markdown
from xaibench.results.records import RunRecord

NOTES = """\
- A cell holds the mean over maps, its 95 % interval in brackets, and letters: rows that share a \
letter are not significantly different (paired tests of all pairs, p < 0.05 after Holm's \
correction). ↑ higher is better, ↓ lower is better; the best value is bold, even where it ties. \
Where rows need too many letters to read, `=` marks those not significantly different from the \
best one, and leaderboard.csv has the letters.
- Intervals are bootstrapped over groups of images that belong together (near-duplicates, \
patients) and, where there are several training seeds, over trainings, within folds.
- The primary metric, chosen before the run (`--primary`; by default the first of localization), \
is tested alone; all other metrics are secondary, and their tests corrected together.
- Intervals and letters generalize to new test images, and with several seeds to new trainings on \
the same training sets. Columns `_training_sets` of leaderboard.csv generalize to new training \
sets, too.
- `rank by` runs from the best rank to the worst that the same tests allow: one more than the rows \
that are clearly better, to all but those that are clearly worse.
- `maps` counts the scored maps of all folds and seeds. A value that is undefined (a hit needs a \
mask that isn't empty) is left out of the mean and counted in its cell, never counted as 0.
- `degenerate` counts constant and non-finite maps. They stay in: they score as chance when \
pointing and as an empty prediction elsewhere.
- Controls bound the board and are not ranked; a blind one doesn't look at the image. A method \
below the best of these is worse than ignoring the image.
- A learned method names what it was trained on, and of masks or boxes the share of the training \
images; † marks rows of a network whose training saw them as well.
- ‡ marks pooled estimands: one value for all images together, not the mean of one for each.
- `skill` is (score - trivial) / (upper - trivial): trivial is the best blind control, upper the \
segmentation network.
- `dependence` is 1 minus the mean rank correlation between a map and the map of the runner-up \
class, or that of random weights in the last layers, whichever is smaller: 0 for a map that \
doesn't change with the network's decision, 1 for one with nothing in common. Empty where the \
network doesn't classify, and where it was not measured.
- Metrics under "never ranked" chose something by the same masks that score them."""


ABOUT_GAPS = (
    "`missed of the sum`: some methods promise that their signed attributions add up to a "
    "difference of logits (or to the logit); it is the largest share of that sum which they miss "
    f"on any image. Above {TOLERANCE:.0%} a row is called incomplete."
)
SAME_RESULT = (
    "Same score on every image by every metric, so one result and not several (as Grad-CAM and "
    "HiResCAM on a pooling and linear head, which are equal by construction):"
)
ABOUT_AGREEMENT = (
    "Kendall's τ between the orders of the rows: 1 the same, 0 none in common, -1 the opposite; "
    "all pairs are in agreement.csv."
)
ABOUT_SLICES = (
    "Means, intervals and numbers of maps (n) on parts of the images, by the first metric of each "
    "board; all metrics and the controls are in slices.csv. A part, such as a class, is shown from "
    f"{FEWEST_GROUPS} independent images upwards. No tests here: of so many parts some differ by "
    "chance."
)


def to_markdown(contents: Contents, out: Path) -> str:
    """Write the whole document.

    Args:
        contents: what is said.
        out: the folder it will lie in, from which figures are linked.
    """
    run, chapters = contents.run, contents.chapters
    lines = [f"# Leaderboard: {plain(dataset_name(run.dataset))}", *_about(run)]
    for chapter in chapters:
        lines += _chapter(chapter, run)
    lines += classification_to_markdown(contents.classification, contents.tests)
    lines += per_class_to_markdown(contents.per_class)
    lines += analyses_to_markdown(contents.analyses, contents.quantities, out)
    if chapters:
        lines += ["## How to read the tables", "\n".join([NOTES, *_judge(run)])]
    if found := list(definitions(run)):
        lines += ["## What each metric means", *found]
    return "\n\n".join(lines) + "\n"


def _judge(run: RunRecord) -> Iterator[str]:
    if CEILING in run.methods:
        yield (
            "- `reached` is the share of the reachable range, (score - floor) / (ceiling - floor): "
            "the floor is the best blind control, the ceiling the truth itself on "
            f"the grid of the CAM layer (`{CEILING}`), or for maps of more cells the `{ORACLE}`."
        )
    if margin := margin_of(run):
        yield ABOUT_MARGIN.format(margin=margin)
    if run.won:
        yield (
            "- § marks metrics that maps without a network win (`xaibench diagnose --gaming`): no "
            "row leads by them."
        )
    if name := run.protocol.get("judge"):
        yield (
            f"- Models that don't classify have no confidence of their own: `{name}` judges the "
            "faithfulness of their maps."
        )


def _about(run: RunRecord) -> Iterator[str]:
    yield f"Made by xaibench {plain(run.xaibench)}, protocol `{plain(run.protocol_hash)}`:"
    yield f"    {' '.join(run.command.split())}"
    for source in run.sources or ():
        yield bullets([f"{source.name}: `{source.command}`"])
    if told := run.all_warnings:
        yield "**Warnings**"
        yield bullets(told)


def _chapter(chapter: Chapter, run: RunRecord) -> Iterator[str]:
    section = chapter.section
    yield f"## {plain(section.title)}"
    yield "### What may be concluded"
    yield bullets(list(conclusions(section, run, chapter.judged, chapter.board)))
    if advice := list(recommendation(section, run, chapter.judged, chapter.decisions)):
        yield "### Recommendation"
        yield bullets(advice)
    if same := identical_rows(section):
        yield SAME_RESULT
        yield bullets([f"{' = '.join(names)} on {model}" for model, names in same])
    yield from decisions_to_markdown(chapter.decisions)
    yield (
        "In each cell: the mean, its 95 % interval, and letters; rows that share a letter are not "
        "significantly different. The best is bold. More notes are at the end."
    )
    family = ""
    for board in boards(chapter.board, run):
        if board.family != family:
            family = board.family
            yield f"### {family.capitalize()}"
        yield board_to_markdown(board)
    if cost := cost_board(chapter.board, run):
        yield "### Cost of a map"
        yield board_to_markdown(cost)
        if is_promised(chapter.board):
            yield ABOUT_GAPS
    if table := agreement_lines(chapter.agreement, run):
        yield "### Do the metrics agree?"
        yield ABOUT_AGREEMENT
        yield markdown_table(*table)
    yield from repeats_to_markdown(chapter.repeats, chapter.variances, run)
    if found := list(slices_to_markdown(chapter.slices, run)):
        yield "### Slices"
        yield ABOUT_SLICES
        yield from found
