"""The audit: what in a dataset would spoil the numbers, before any is computed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shlex import quote

import numpy as np
import pandas as pd

from xaibench.audit.copies import describe_duplicates, find_duplicates, name_groups
from xaibench.audit.examine import AuditFinding, Facts, Severity, examine_all
from xaibench.core.csv_cells import to_csv
from xaibench.core.data import Dataset
from xaibench.core.progress import progress_bar
from xaibench.core.reading.annotations import natural_order
from xaibench.core.reading.copies import grouped_by
from xaibench.core.store import write_with

_SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_MOST, _NEARLY_ALL = 0.5, 0.95
_FEW_PIXELS = 16
_UNUSUAL_RATIO = 4
_SHOWN = 3


@dataclass(frozen=True)
class Audit:
    """Findings, the worst first, and the group of each sample that others resemble."""

    dataset: Dataset
    findings: tuple[AuditFinding, ...]
    groups: dict[str, str]

    @property
    def failed(self) -> bool:
        """Whether a run would stop at one of these files."""
        return any(finding.severity == "error" for finding in self.findings)


def audit(dataset: Dataset) -> Audit:
    """Read each sample once, and compare all with all.

    Time grows with the square of the number of images, memory by 50 kB an image.
    """
    facts = []
    with progress_bar("read", "images", len(dataset.samples)) as bar:
        for each in examine_all(dataset):
            facts.append(each)
            bar.advance()
    duplicates = find_duplicates(facts)
    findings = [
        *(AuditFinding("", "folder", "warning", note) for note in dataset.notes),
        *(finding for each in facts for finding in each.findings),
        *judge_masks(facts, annotated=dataset.annotated),
        *judge_pictures(facts),
        *describe_duplicates(facts, duplicates, dataset.classes),
    ]
    return Audit(dataset, tuple(sorted(findings, key=_order)), name_groups(facts, duplicates))


def judge_masks(facts: Sequence[Facts], *, annotated: bool) -> Iterator[AuditFinding]:
    """Yield what is strange about masks: missing, empty, full, inverted, or several of one grade.

    In a class without any, masks are missing (or empty) by design, as those of healthy organs are.
    """
    masked = {each.sample.label for each in facts if each.sample.annotated}
    marked = {each.sample.label for each in facts if each.marked}
    for sample, share, rim in ((each.sample, each.marked, each.rim) for each in facts):
        if annotated and not sample.annotated:
            severity: Severity = "warning" if sample.label in masked else "note"
            yield AuditFinding(sample.id, "missing_mask", severity, "neither mask nor box")
        if share is not None and not share:
            severity = "warning" if sample.label in marked else "note"
            yield AuditFinding(sample.id, "empty_mask", severity, "nothing is marked")
        if share is not None and share >= _NEARLY_ALL:
            yield AuditFinding(
                sample.id, "full_mask", "warning", f"{share:.1%} of the image is marked"
            )
        elif share is not None and share > _MOST and rim >= _NEARLY_ALL:
            detail = f"{share:.1%} is marked, the whole border too: are black and white swapped?"
            yield AuditFinding(sample.id, "inverted_mask", "warning", detail)
        for layers in grouped_by(sample.masks, lambda layer: layer.grade):
            if len(layers) > 1:
                detail = f"{len(layers)} are merged: {', '.join(each.path.name for each in layers)}"
                yield AuditFinding(sample.id, "several_masks", "note", detail)


def judge_pictures(facts: Sequence[Facts]) -> Iterator[AuditFinding]:
    """Yield pictures unlike most: colored among gray ones, of another size, of another depth."""
    readable = [each for each in facts if each.imprint is not None]
    if not readable:
        return
    gray = sum(each.colored < _FEW_PIXELS for each in readable)
    deep = sum(each.deep for each in readable)
    sizes = np.array([each.size for each in readable])
    typical = np.median(sizes, axis=0)
    unusual = (sizes * _UNUSUAL_RATIO < typical) | (sizes > _UNUSUAL_RATIO * typical)
    for each, strange in zip(readable, unusual.any(axis=1), strict=True):
        height, width = each.size
        if each.colored >= _FEW_PIXELS and 2 * gray > len(readable):
            share = each.colored / (height * width)
            detail = f"{share:.2%} of it is colored; {gray} of {len(readable)} images are gray"
            yield AuditFinding(each.sample.id, "color_overlay", "warning", detail)
        if strange:
            detail = f"{width}x{height}, where {typical[1]:.0f}x{typical[0]:.0f} is usual"
            yield AuditFinding(each.sample.id, "unusual_size", "note", detail)
        if each.deep != (2 * deep > len(readable)):
            detail = f"{'more than 8' if each.deep else '8'} bits, unlike most"
            yield AuditFinding(each.sample.id, "unusual_depth", "note", detail)


def _order(finding: AuditFinding) -> tuple[int, str, list[tuple[int, str]], str]:
    rank = _SEVERITIES.index(finding.severity)
    return rank, finding.finding, natural_order(finding.sample), finding.detail


def describe_audit(found: Audit, out: Path) -> list[str]:
    """Return the audit in lines for people: how often each finding is there, and the first few.

    ``out`` is the folder that `write_audit` wrote to.
    """
    dataset = found.dataset
    lines = [
        f"{len(dataset.samples)} images of {len(dataset.classes)} classes "
        f"({', '.join(dataset.classes)}); {len(found.findings) or 'no'} findings"
    ]
    for alike in grouped_by(found.findings, lambda each: (each.severity, each.finding)):
        lines.append(f"{alike[0].severity}: {alike[0].finding}: {len(alike)}")
        lines += [f"    {_name(each)}{each.detail}" for each in alike[:_SHOWN]]
        lines += [f"    ... and {len(alike) - _SHOWN} more"] if len(alike) > _SHOWN else []
    return [*lines, _describe_groups(found, out / "groups.csv")]


def _name(finding: AuditFinding) -> str:
    return f"{finding.sample}: " if finding.sample else ""


def _describe_groups(found: Audit, table: Path) -> str:
    samples = {sample.id: sample for sample in found.dataset.samples}
    groups = grouped_by(found.groups, lambda name: found.groups[name])
    mixed = sum(len({samples[name].label for name in group}) > 1 for group in groups)
    apart = sum(
        len(own := {samples[name].group for name in group}) > 1 or own == {""} for group in groups
    )
    largest = max(map(len, groups), default=0)
    if not groups:
        return "no two images show the same"
    return (
        f"groups of images that show the same: {len(groups)}, over {len(found.groups)} images, "
        f"the largest of {largest}; mixing classes: {mixed}; duplicate groups split between parts: "
        f"{apart}{f', so run with --groups {quote(str(table))}' if apart else ''}"
    )


def write_audit(found: Audit, out: Path) -> None:
    """Write ``audit.csv`` and ``groups.csv``, the latter fit for ``xaibench run --groups``."""
    groups = pd.DataFrame(found.groups.items(), columns=["sample", "group"])
    findings = pd.DataFrame(found.findings, columns=AuditFinding._fields)
    for name, frame in (("groups.csv", groups), ("audit.csv", findings)):
        write_with(out / name, partial(to_csv, frame))
