"""All commands: where each lies and what it does, so that help needs none of them."""

from collections.abc import Mapping
from typing import NamedTuple


class TableEntry(NamedTuple):
    """A command of the command line.

    Attributes:
        place: ``module:object`` below ``xaibench.commands``.
        what: the first sentence of its help, which a test compares.
    """

    place: str
    what: str


PROGRAM, VARIABLE = "xaibench", "_XAIBENCH_COMPLETE"
COMMANDS: Mapping[str, TableEntry] = {
    "init": TableEntry(
        "init:init",
        "Look at your own images, and write a commented file of options to start from.",
    ),
    "run": TableEntry(
        "run:run",
        "Train, explain and score; the same command again does only what is missing.",
    ),
    "report": TableEntry(
        "run:report",
        "Write a run's or a study's tables and pictures again.",
    ),
    "analyze": TableEntry(
        "analyze:analyze",
        "Look at what trained networks make of the images: PCA, t-SNE, neighbors, anomalies.",
    ),
    "explain": TableEntry(
        "explain:explain",
        "Explain pictures of your own: maps, prediction and confidence.",
    ),
    "score": TableEntry(
        "score:score",
        "Score saliency maps that someone else made, beside the controls.",
    ),
    "compare": TableEntry(
        "compare:compare",
        "Put runs of one protocol on one board, or say what differs.",
    ),
    "publish": TableEntry(
        "publish:publish",
        "Copy what a run found: scores, tables, figures; no weights, no maps, no paths.",
    ),
    "site": TableEntry(
        "site:site",
        "Build a static site of finished runs: an index, a page for each board, downloads.",
    ),
    "submit": TableEntry(
        "submit:submit",
        "Check and score maps or a plugin of yours, and write a folder for a pull request.",
    ),
    "diagnose": TableEntry(
        "diagnose:diagnose",
        "Try what methods show: pass or fail, never a rank.",
    ),
    "study": TableEntry(
        "study:study",
        "Compare runs that differ in one thing, and say what that thing brings.",
    ),
    "power": TableEntry(
        "power:power",
        "Say how many images, folds and seeds it takes to find a difference.",
    ),
    "court": TableEntry(
        "court:court",
        "Try metrics on networks whose rule is planted: do they rank maps by what a network uses?",
    ),
    "list": TableEntry(
        "listing:list_plugins",
        "Show all datasets, models, methods, metrics and analyses, with their options.",
    ),
    "metrics": TableEntry(
        "plugins:metrics",
        "Show what each metric measures, or the whole definition of one.",
    ),
    "check": TableEntry(
        "plugins:check",
        "Try a plugin against every rule of the contract, and measure what it costs.",
    ),
    "layers": TableEntry(
        "plugins:layers",
        "Show a model's layers: which one CAMs read, and which others --layer could name.",
    ),
    "features": TableEntry(
        "features:features",
        "Show what a trained network looks for: filters, feature maps, what excites channels.",
    ),
    "audit": TableEntry(
        "audit:audit",
        "Look for what would spoil the numbers: duplicates, bad masks, unreadable files, overlays.",
    ),
    "fetch": TableEntry(
        "data:fetch",
        "Download a dataset from its authors, and verify it.",
    ),
    "completion": TableEntry(
        "complete:completion",
        "Print the script that completes commands, options and names of plugins in a shell.",
    ),
}
