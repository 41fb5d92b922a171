"""ROAR: can the classes still be learned without the pixels that a method ranks highest?"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound
from xaibench.core.registry import bind, plugins
from xaibench.core.store import folder_name
from xaibench.results.folder import COPIES_FILE, COPIES_FOLDER
from xaibench.results.study_records import Arm
from xaibench.setup.option_checks import NO_METHODS
from xaibench.setup.selection import Selection, select
from xaibench.studies.covered_copies import folders_of, write_copies
from xaibench.studies.design import Design, Point, Study, shares
from xaibench.training.supervision import reads_masks

_SHARES = ("0.1", "0.3", "0.5", "0.7", "0.9")
_CHANCE = "random"
_FLOORS = (_CHANCE, "sobel")
_FIRST, _WHOLE = "whole", "0"


def _design(selection: Selection, values: Sequence[str]) -> Design:
    """Explain all images out of fold, then train on copies without what each method marks."""
    removed = shares(values or _SHARES, above_zero=True)
    _check(selection)
    methods = [m for m in selection.methods if m.plugin.traits.family != "control"]
    named = [*(method.spec for method in methods), *_FLOORS]
    first = Point(_FIRST, {"methods": named})
    arms, later = [], []
    for model in selection.models:
        whole = Arm(_FIRST, model.spec, _title(selection, model, "whole images"), _WHOLE)
        arms.append(whole)
        for method in named:
            title = _title(selection, model, method)
            for share, folder in _folders(selection, model, method, removed).items():
                point = Point(folder.name, _on_copies(selection, model, folder))
                chance = _folders(selection, model, _CHANCE, [share])[share].name
                by_chance = (Arm(chance, model.spec, "", "").key,) if method != _CHANCE else ()
                against = (*by_chance, whole.key)
                arms.append(Arm(point.name, model.spec, title, f"{share:g}", against=against))
                later.append(point)
    return Design([first], arms, later, partial(_prepare, selection, first, named, removed))


def _check(selection: Selection) -> None:
    """Refuse what leaves an image without a map of a network that never saw it."""
    if not selection.split_name.startswith("kfold:") or selection.dataset.apart:
        raise XaibenchError(
            f"study roar: with --split {selection.split_name} some images are never tested on, and "
            "have no map; take --split kfold:K."
        )
    if not selection.options.keep_maps:
        raise XaibenchError("study roar: it needs the maps; leave --no-keep-maps out.")
    if selection.dataset.several_labels:
        raise XaibenchError("study roar: images may show several classes; it needs one label each.")
    for model in selection.models:
        built = selection.build(model, seed=0, weights="none")
        if not built.classifies or reads_masks(built, selection.blank):
            raise XaibenchError(
                f"study roar: {model.spec} learns from masks, which copies without pixels don't "
                "have; name classifiers that learn from labels alone."
            )


def _prepare(
    selection: Selection, first: Point, methods: Sequence[str], removed: Sequence[float]
) -> None:
    """Write the copies of all images, once the first run has left its maps."""
    told = {**selection.options.as_dict(), **first.changes}
    explained = select({**told, "out": str(selection.layout.out / first.name)})
    for model in selection.models:
        for method in methods:
            folders = _folders(selection, model, method, removed)
            write_copies(explained, model, bind("method", method), folders)


def _folders(
    selection: Selection, model: Bound, method: str, removed: Sequence[float]
) -> dict[float, Path]:
    name = folder_name(method)
    if len(selection.models) > 1:
        name = f"{folder_name(model.spec)}-{name}"
    return folders_of(selection.layout.out / COPIES_FOLDER, name, removed)


def _title(selection: Selection, model: Bound, what: str) -> str:
    return f"{model.spec}, {what}" if len(selection.models) > 1 else what


def _on_copies(selection: Selection, model: Bound, folder: Path) -> dict[str, object]:
    """Return the options of a run that trains on copies alone."""
    words = {"path": str(folder / COPIES_FILE), "classes": selection.dataset.classes}
    copies = Bound(plugins("dataset")["folder"], words)
    # The dataset's own recipe counts for its copies, and what chooses from its images doesn't.
    return {
        **selection.options.as_dict(),
        "dataset": copies.spec,
        "models": [model.spec],
        "methods": [NO_METHODS],
        "analyses": (),
        "primary": "",
        "limit": 0,
        "groups": "",
    }


STUDY = Study(
    name="roar",
    question="Can the classes still be learned without the pixels that a method ranks highest? The "
    "lower the accuracy, below that without pixels chosen by chance, the better the method.",
    design=_design,
    defaults={
        "models": ("resnet50",),
        "methods": ("gradcam", "integrated_gradients"),
        "metrics": ("sparseness",),
        "controls": False,
        "split": "kfold:5",
        "target": "predicted",
        "dependence": False,
    },
)
