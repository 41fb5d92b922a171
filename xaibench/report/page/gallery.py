"""The gallery's contents: chosen test images with every row's map, as data for the page."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.proper_names import bare_method_name
from xaibench.report.facts.section import Section
from xaibench.report.facts.units import parts_of_unit
from xaibench.report.judging.chapter import Chapter, Contents
from xaibench.report.page.gallery_choice import (
    RANDOM,
    REASONS,
    Choice,
    by_image,
    choose_samples,
    drawn_without_gap,
    first_seed,
)
from xaibench.report.page.gallery_pixels import heat_table
from xaibench.report.page.gallery_reader import Reader
from xaibench.report.page.gallery_sample import Pictured, Tile
from xaibench.report.pictures.shown_rows import short_names
from xaibench.report.pictures.stored import Stored, holds_maps
from xaibench.results.records import RunRecord

_log = logging.getLogger(__name__)
_MOST_CHARACTERS, _FEWEST = 3_000_000, 5


@dataclass(frozen=True)
class Gallery:
    """What ``gallery.html.j2`` shows, in plain words and numbers.

    Attributes:
        dataset: dataset and split, in words.
        samples: the images shown, those to look at first in front.
        images: how many images these are, of ``total`` test images; where an image may show several
            classes it is a sample for each that is explained.
        classes: of the images shown; ``reasons`` likewise, in words.
        methods: what papers call the methods shown.
        short: what each model shown is called where there is little room.
        threshold: in hundredths, where the slider is first.
        explained: whose class the maps explain, ``true`` or ``predicted``.
        trained: in words, of which training seed they are; empty where there is one alone.
        masked: whether any image shown has a mask.
        checked: in words, how the slider's IoU compares with ``scores.csv``; may be empty.
        data: JSON for ``<script type="application/json" id="gallery-data">``.
    """

    dataset: str
    samples: Sequence[Pictured]
    images: int
    total: int
    classes: Sequence[str]
    methods: dict[str, str]
    reasons: dict[str, str]
    short: dict[str, str]
    threshold: int
    explained: str
    trained: str
    masked: bool
    checked: str
    data: Markup


def collect_gallery(contents: Contents, stored: Stored, out: Path) -> Gallery | None:
    """Choose images of a run, and read their maps from its folder.

    As many as a page can hold, but no fewer than a handful. Of several seeds the first is shown.

    Returns:
        The gallery, or None where the folder holds no maps (those of `xaibench compare`, runs of
        analyses alone) or the dataset can't be read any more, of which a warning is logged.
    """
    if not (holds_maps(contents.material, out) and contents.chapters):
        return None
    # A folder with maps of its own is of one dataset and split.
    chapter = contents.chapters[0]
    try:
        reader = Reader(chapter.section, contents.material, stored, out)
        choices = choose_samples(chapter.section, contents.run)
        shown = _within_budget(reader, by_image(choices, chapter.section, contents.run))
    except XaibenchError as error:
        _log.warning("no gallery: %s", error)
        return None
    return _describe(chapter, reader, shown) if shown else None


def _within_budget(reader: Reader, images: Iterable[Sequence[Choice]]) -> list[Pictured]:
    shown: list[tuple[int, Pictured]] = []
    places: set[int] = set()
    characters, count = 0, 0
    for choices in images:
        read = [(choice.drawn, sample) for choice in choices if (sample := reader.read(choice))]
        samples = _together(read, reader.run.classes)
        together = list(zip([drawn for drawn, _ in read], samples, strict=True))
        characters += sum(sample.characters for _, sample in together)
        if characters > _MOST_CHARACTERS and count >= _FEWEST:
            break
        shown += together
        count += bool(together)
        places |= {choice.drawn for choice in choices}
    random = drawn_without_gap(places)
    return [sample if drawn < random else _without_chance(sample) for drawn, sample in shown]


def _together(read: Sequence[tuple[int, Pictured]], order: Sequence[str]) -> list[Pictured]:
    """Return what is shown of one image; each part knows the classes of all, in their order."""
    there = {sample.label for _, sample in read}
    classes = [name for name in order if name in there] if len(read) > 1 else []
    return [
        replace(sample, first=place == 0, classes=classes) for place, (_, sample) in enumerate(read)
    ]


def _without_chance(sample: Pictured) -> Pictured:
    kept = {way: words for way, words in sample.reasons.items() if way != RANDOM}
    return replace(sample, reasons=kept)


def _describe(chapter: Chapter, reader: Reader, shown: Sequence[Pictured]) -> Gallery:
    section = chapter.section
    tiles = [tile for sample in shown for tile in sample.tiles]
    models = list(dict.fromkeys(tile.model for tile in tiles if tile.model))
    return Gallery(
        dataset=section.title,
        samples=shown,
        images=len({sample.image for sample in shown}),
        total=_count_images(section, reader.run),
        classes=list(dict.fromkeys(sample.label for sample in shown)),
        methods={tile.method: bare_method_name(tile.method) for tile in tiles},
        short=short_names(models),
        reasons={
            way: words
            for way, words in REASONS.items()
            if any(way in sample.reasons for sample in shown)
        },
        threshold=reader.threshold,
        explained=reader.explained,
        trained=_trained(section),
        masked=any(sample.mask is not None for sample in shown),
        checked=_checked(reader, tiles),
        data=_data(reader, shown),
    )


def _count_images(section: Section, run: RunRecord) -> int:
    names = section.units["sample"][first_seed(section)].astype(str)
    if not run.several_labels:
        return len(names)
    return len({parts_of_unit(name, run.classes)[0] for name in names})


def _trained(section: Section) -> str:
    seeds = sorted(set(section.units["seed"]))
    if len(seeds) == 1:
        return ""
    return f"Of {len(seeds)} training seeds the first, {seeds[0]}, is shown."


def _checked(reader: Reader, tiles: Sequence[Tile]) -> str:
    apart = [tile.difference for tile in tiles if tile.difference is not None]
    if not apart:
        return ""
    where = f"At threshold {reader.threshold / 100:.2f} the IoU here"
    if not max(apart):
        return (
            f"{where} is {reader.iou} in scores.csv to the last digit, for all {len(apart)} maps."
        )
    return (
        f"{where} differs from {reader.iou} in scores.csv by up to {max(apart):.2g} for "
        f"{sum(difference > 0 for difference in apart)} of {len(apart)} maps, as it may where they "
        "were scored on a GPU, whose sums round otherwise."
    )


def _data(reader: Reader, shown: Sequence[Pictured]) -> Markup:
    text = json.dumps(
        {
            "size": reader.size,
            "heat": heat_table(),
            "samples": [
                {"mask": each.mask, "undefined": each.undefined, "levels": each.levels}
                for each in shown
            ],
        },
        separators=(",", ":"),
    )
    for sign in "<>&":  # so that nothing in it can end the script
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # no sign of markup is left
