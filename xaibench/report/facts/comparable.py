"""Whether numbers of several runs mean the same; if not, what differs."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.material import PLACE, Material
from xaibench.report.facts.traits import primary_metric
from xaibench.results.integrity import as_json
from xaibench.results.records import RunRecord

BY_METRIC = ("metrics", "targets")
_BY_DATASET = ("groups",)  # a file for each dataset
_CODE = {"engine": "the code that finishes maps or divides samples has changed; score one again"}
# Where one of these differs, so do the files of the splits.
_DIVIDING = frozenset({"split", "split_seed", "mask_fraction", "limit", "groups"})
_HASH = re.compile("[0-9a-f]{16,}")
_ALL = 1e-12


def check_comparable(materials: Mapping[str, Material]) -> None:
    """Refuse runs whose numbers don't mean the same.

    Raises:
        XaibenchError: everything that differs between two of them, with both values.
    """
    for name, material in materials.items():
        run = material.run
        told = all(each in run.protocol.get(key, {}) for key in BY_METRIC for each in run.metrics)
        if run.several_labels:
            raise XaibenchError(
                f"{name}: its images may show several classes, which runs that are put together "
                "can't yet; put the methods and models into one run."
            )
        if not (told and run.splits and run.dataset):
            raise XaibenchError(f"{name}: run.json tells no protocol; repeat the run first.")
    for (one, first), (other, second) in combinations(materials.items(), 2):
        found = [*_differences(first.run, second.run), *_networks(first, second)]
        if found:
            raise XaibenchError(f"{one} and {other} can't be compared: {'; '.join(found)}.")
    if not common_metrics([material.run for material in materials.values()]):
        raise XaibenchError(
            f"{', '.join(materials)} have no metric in common; run one again with the other's "
            "--metrics, and only scores are made."
        )


def common_metrics(runs: list[RunRecord]) -> list[str]:
    """Return the metrics that all runs have, in the first one's order."""
    return [name for name in runs[0].metrics if all(name in run.metrics for run in runs)]


def _differences(first: RunRecord, second: RunRecord) -> Iterator[str]:
    one, other = first.protocol, second.protocol
    mine, theirs = first.all_datasets, second.all_datasets
    differing = [
        key
        for key in dict.fromkeys([*one, *other])
        if key not in (*BY_METRIC, "primary")
        and (key not in _BY_DATASET or mine.keys() & theirs.keys())
        and one.get(key) != other.get(key)
    ]
    for key in differing:
        yield from _differ(key, one.get(key), other.get(key), _CODE.get(key))
    common = common_metrics([first, second])
    primaries = [primary_metric(run) for run in (first, second)]
    if all(primary in common for primary in primaries):
        yield from _differ("primary metric", *primaries)
    changed = [name for name in common if one["metrics"].get(name) != other["metrics"].get(name)]
    if changed:
        yield f"the code of {', '.join(changed)} has changed; repeat one, and only scores are made"
    for metric in common:
        targets = [of["targets"].get(metric) for of in (one, other)]
        yield from _differ(f"class explained for {metric}", *targets)
        mine_up, its_up = (run.metrics[metric].higher_is_better for run in (first, second))
        yield from _differ(f"higher is better in metric {metric}", mine_up, its_up)
    for method in first.methods.keys() & second.methods.keys():
        yield from _differ(f"method {method}", _traits(first, method), _traits(second, method))
    for dataset in mine.keys() & theirs.keys():
        about, its = mine[dataset], theirs[dataset]
        yield from _differ(f"classes of {dataset}", about.classes, its.classes)
        if _DIVIDING & set(differing):
            continue
        for name in about.splits.keys() & its.splits.keys():
            why = "other images, groups or masks are in its parts"
            yield from _differ(
                f"splits/{name} of {dataset}", about.splits[name], its.splits[name], why
            )
    if set(differing) - set(_CODE):
        yield "repeat one run with the other's options"


def _networks(first: Material, second: Material) -> Iterator[str]:
    """Tell networks apart that have one name: by predictions under one seed, else by recipe."""
    keys = [*PLACE, "sample"]
    one, other = (m.predictions.dropna(subset="prediction") for m in (first, second))
    shared = [str(c) for c in one if str(c).startswith("confidence_") and c in other]
    both = one.merge(other, on=keys, suffixes=("", "_other"))
    for name in ("prediction", *shared):
        apart = both[(both[name] - both[f"{name}_other"]).abs() > _ALL]
        if len(apart):
            row = apart.iloc[0]
            yield (
                f"two networks are called {row['model']}, seed {row['seed']}: {name} of "
                f"{row['sample']} is {row[name]:.6g} against {row[f'{name}_other']:.6g}; train one "
                "with other --seeds"
            )
            return
    known = {tuple(pair) for pair in both[["dataset", "model"]].drop_duplicates().to_numpy()}
    for dataset, model in sorted(_pairs(one) & _pairs(other) - known):
        mine, its = (
            material.run.of_dataset(dataset).recipes.get(model, {}) for material in (first, second)
        )
        for name in mine.keys() & its.keys():
            yield from _differ(f"{name} of {model}", mine[name], its[name])


def _pairs(predictions: pd.DataFrame) -> set[tuple[str, str]]:
    return {tuple(pair) for pair in predictions[["dataset", "model"]].drop_duplicates().to_numpy()}


def _traits(run: RunRecord, method: str) -> Any:
    return as_json(replace(run.methods[method], paper=None))


def _differ(name: str, one: Any, other: Any, why: str | None = None) -> Iterator[str]:
    if one != other:
        reason = f" ({why})" if why else ""
        yield f"{name}: {_text(one)} against {_text(other)}{reason}"


def _text(value: Any) -> str:
    if isinstance(value, str) and value:
        return value[:8] if _HASH.fullmatch(value) else value
    return json.dumps(value, ensure_ascii=False)
