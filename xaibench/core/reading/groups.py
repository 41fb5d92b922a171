"""Groups of samples from a table: what must not part, beside what the dataset itself says."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from xaibench.core.csv_cells import from_cell
from xaibench.core.data import Sample
from xaibench.core.errors import XaibenchError
from xaibench.core.reading.annotations import composed
from xaibench.core.reading.joining import join_pairs
from xaibench.core.reading.manifest import is_missing
from xaibench.core.reading.name_rule import name_groups
from xaibench.core.reading.spreadsheet import read_lines
from xaibench.core.suggest import did_you_mean

_COLUMNS = ("sample", "group")
_log = logging.getLogger(__name__)


def read_groups(path: Path) -> dict[str, str]:
    """Return the group of each sample that a CSV file with the columns sample and group names.

    Samples without a group are left out. Other columns are passed over.

    Raises:
        XaibenchError: the file is unreadable, lacks a column, or names a sample in two groups.
    """
    lines = read_lines(path, f"--groups {path}", _COLUMNS, "write it with `xaibench audit`")
    groups: dict[str, str] = {}
    for _, cells in lines:
        sample, group = composed(from_cell(cells["sample"])), from_cell(cells["group"])
        if groups.setdefault(sample, group) != group:
            raise XaibenchError(
                f"--groups {path}: sample '{sample}' is in the groups '{groups[sample]}' and "
                f"'{group}'; give both one name."
            )
    return {sample: group for sample, group in groups.items() if not is_missing(group)}


def group_by_name(owner: str, samples: Sequence[Sample], rule: str) -> tuple[Sample, ...]:
    """Return samples whose groups their names tell, by a rule such as ``regex:P([0-9]+)``.

    The group is what the brackets match, or the whole match where there are none, anywhere in the
    sample's id.

    Raises:
        XaibenchError: the rule is none, doesn't match a name, or takes too long.
    """
    kind, _, pattern = rule.partition(":")
    given = f"{owner}[group={rule}]"
    try:
        re.compile(pattern)
    except re.error as error:
        raise XaibenchError(f"{given}: not a regular expression ({error}); fix it.") from error
    if kind != "regex" or not pattern:
        raise XaibenchError(f"{given}: write regex: and a regular expression, as regex:(P[0-9]+).")
    names = [sample.id for sample in samples]
    try:
        found = name_groups(pattern, names)
    except TimeoutError as error:
        raise XaibenchError(
            f"{given}: it takes more than {error} s for {len(names)} names, as repeats within "
            "repeats do, such as (a+)+; write a simpler one."
        ) from None
    lacking = [name for name, group in zip(names, found, strict=True) if group is None]
    if lacking:
        raise XaibenchError(
            f"{given}: it matches nothing in {len(lacking)} of {len(samples)} names, such as "
            f"'{lacking[0]}'; write one that finds the group of each image."
        )
    return tuple(
        replace(sample, group=group or "") for sample, group in zip(samples, found, strict=True)
    )


def join_groups(samples: Sequence[Sample], path: Path) -> tuple[Sample, ...]:
    """Return the samples in groups that break neither their own nor those of a table.

    What hangs together by either stays together: patients whose images are near-duplicates become
    one group. Groups take the name of their first sample; a sample without a group has none.

    The table may name samples of the dataset that this selection leaves out, such as a class.

    Raises:
        XaibenchError: the table is unreadable, or names none of the samples.
    """
    told = read_groups(path)
    known = {sample.id for sample in samples}
    strange = [name for name in told if name not in known]
    if strange and len(strange) == len(told):
        raise XaibenchError(
            f"--groups {path}: '{strange[0]}' is no sample of this dataset"
            f"{did_you_mean(strange[0], known)}, nor is any other; write the table with `xaibench "
            "audit` on the same dataset."
        )
    if strange:
        _log.info(
            "note: --groups %s: %d of its %d samples are not in this selection, such as '%s'",
            path,
            len(strange),
            len(told),
            strange[0],
        )
    if len({told[name] for name in told if name in known}) == len(known & told.keys()):
        _log.warning("--groups %s: no two images share a group, so it changes nothing", path)
    first: dict[tuple[str, str], int] = {}
    pairs = []
    for place, sample in enumerate(samples):
        for source, group in (("dataset", sample.group), ("table", told.get(sample.id, ""))):
            if group:
                pairs.append((first.setdefault((source, group), place), place))
    heads = join_pairs(len(samples), pairs)
    shared = {head for place, head in enumerate(heads) if place != head}
    return tuple(
        replace(sample, group=samples[head].id if head in shared else "")
        for sample, head in zip(samples, heads, strict=True)
    )
