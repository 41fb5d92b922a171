"""The figures of the page: drawn files read back, each with its words and its files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from xaibench.report.judging.analyses import Analysis, first_trained
from xaibench.report.page.svg import inline_svg
from xaibench.report.page.turning import turning_points
from xaibench.report.pictures.figures import Drawn

_WIDE = 450  # points
_NOTHING = Markup()


@dataclass(frozen=True)
class Embedded:
    """A figure: what it shows, its SVG, and (name, link) of its files.

    ``svg`` is empty where the file alone is linked. ``white`` figures bring their own background.
    ``space`` holds points that a reader may turn, of `turning_points`.
    """

    title: str
    alt: str
    svg: Markup
    files: Sequence[tuple[str, str]]
    white: bool = False
    space: Markup = _NOTHING

    @property
    def narrow(self) -> bool:
        """Whether two of its kind may be side by side."""
        width = re.search(r'^<svg[^>]* style="width: ([\d.]+)pt', self.svg)
        return width is not None and float(width[1]) < _WIDE


class Figures:
    """The drawn figures of a run, found by chapter and subject."""

    def __init__(self, drawn: Sequence[Drawn], out: Path) -> None:
        self._found = [
            (each, _embed(out / "figures", each.name, each.title, each.alt, f"figure{place}-", out))
            for place, each in enumerate(drawn)
        ]

    def of(self, chapter: int | None, *subjects: str) -> list[Embedded]:
        """Return a chapter's figures in the order of the subjects; None asks for the run's."""
        return [
            figure
            for subject in subjects
            for each, figure in self._found
            if figure and (each.chapter, each.subject) == (chapter, subject)
        ]


def analysis_figures(analyses: Sequence[Analysis], out: Path) -> Iterator[Embedded]:
    """Yield the analyses' figures; of several folds and seeds of a model the first is shown."""
    shown = first_trained(analyses)
    for number, analysis in enumerate(analyses):
        name = analysis.about.analysis
        for at, figure in enumerate(analysis.about.figures):
            title = f"{figure.title}; {analysis.place.title}"
            made = _embed(
                analysis.folder,
                figure.name,
                f"{name}. {title}",
                f"{name}: {title}",
                f"analysis{number}-{at}-",
                out,
                white=True,
                shown=analysis in shown,
            )
            if made:
                space = turning_points(analysis, figure) if made.svg else _NOTHING
                yield replace(made, space=space)


def _embed(
    folder: Path,
    name: str,
    title: str,
    alt: str,
    prefix: str,
    out: Path,
    *,
    white: bool = False,
    shown: bool = True,
) -> Embedded | None:
    svg = inline_svg(folder / f"{name}.svg", prefix)
    if svg is None:
        return None
    files = [
        (ending.upper(), quote((folder / f"{name}.{ending}").relative_to(out).as_posix()))
        for ending in ("svg", "png")
        if (folder / f"{name}.{ending}").is_file()
    ]
    return Embedded(title, alt, svg if shown else Markup(), files, white)
