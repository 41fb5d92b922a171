"""Publications: what a run or a study found, without weights, maps and paths of the machine."""

import io
import lzma
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from xaibench.core.csv_cells import to_csv
from xaibench.core.errors import XaibenchError
from xaibench.core.files import real_path
from xaibench.core.reading.opening import open_picture
from xaibench.core.store import folder_name, replacing
from xaibench.report.facts.material import read_material
from xaibench.report.facts.traits import headlines
from xaibench.report.judging.analyses import first_trained, read_analyses
from xaibench.report.judging.chapter import judge_all
from xaibench.report.pictures.figures import FOLDER
from xaibench.report.study import is_study, read_study, write_study
from xaibench.report.write import write_tables
from xaibench.results.folder import (
    BOARD_LATEX_FILE,
    GRID_FILE,
    MODEL_FILE,
    REPORTED,
    ROWS_FILES,
    RUN_FILE,
    SLICES_FILE,
    STUDY_FIGURE_FILE,
)
from xaibench.results.integrity import read_record, write_record
from xaibench.results.records import RunRecord
from xaibench.results.seal import seal
from xaibench.results.stored_run import read_run
from xaibench.results.tables import read_table, stored_table
from xaibench.results.work_records import ModelRecord

_FIGURES = ("agreement", "rates", "confusion", "training")  # and the boards of the headlines
_SHEET_PIXELS, _QUALITY = (1600, 2000), 75  # of photographs
_PLOT_PIXELS, _COLORS = (1200, 1500), 64
_ANALYSIS_PIXELS = (800, 1000)  # of which there are many
_MADE_AGAIN = (SLICES_FILE, BOARD_LATEX_FILE)  # large, and a matter of one command
_LARGE = 100_000  # bytes; smaller tables are easier to look at as they are
_DIGITS = "%.6g"  # more than a table shows of a value, in two thirds of the bytes
_TOLD = ("command", "options", "warnings", "made_by")
_OTHER = "something else lies there; choose another folder."
_PATH = re.compile(
    r"(?<![\w.~/\\])(?:~?/|[A-Za-z]:[/\\])(?:[^\s/\\'\",=\]]+[/\\])*([^\s/\\'\",=\]]+)"
)


def publish(source: Path, out: Path) -> None:
    """Copy what a finished run or study found, and write its tables anew from the copy.

    Values keep six digits, and tables of rows are compressed where they are large; `xaibench
    report` and `compare` read them so. Absolute paths in ``run.json`` keep their last name.

    Args:
        source: folder of a run or of a study.
        out: where to put it; a folder that isn't there yet, or an earlier publication.

    Raises:
        XaibenchError: the source isn't finished, or something else lies at ``out``.
    """
    if real_path(source) in (real_path(out), *real_path(out).parents):
        raise XaibenchError(
            f"{out}: choose another folder, outside {source}; a publication is a copy."
        )
    if not is_study(source):
        _publish_run(source, out)
        return
    study = read_study(source)
    if out.exists() and any(out.iterdir()) and not is_study(out):
        raise XaibenchError(f"{out}: {_OTHER}")
    for point in dict.fromkeys(arm.point for arm in study.arms):
        _publish_run(source / point, out / point)
    write_study(out, study.arms, replace(study.about, command=portable(study.about.command)))
    _place(_shrunk(out / STUDY_FIGURE_FILE, _PLOT_PIXELS), out / STUDY_FIGURE_FILE)


def portable(told: Any) -> Any:
    r"""Return JSON-like content in which absolute paths are the names of their files.

    >>> portable({"weights": "/home/me/nets/w.pth", "method": "rise[masks=1000]"})
    {'weights': 'w.pth', 'method': 'rise[masks=1000]'}
    >>> portable([r"C:\nets\w.pth", "--weights=~/w.pth", "folder[path=/mnt/x]", "1 / 2", "a/b"])
    ['w.pth', '--weights=w.pth', 'folder[path=x]', '1 / 2', 'a/b']
    """
    if is_dataclass(told) and not isinstance(told, type):
        return replace(
            told, **{each.name: portable(getattr(told, each.name)) for each in fields(told)}
        )
    if isinstance(told, Mapping):
        return {name: portable(value) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return [portable(value) for value in told]
    return _PATH.sub(r"\1", told) if isinstance(told, str) else told


def save_photographs(picture: Path, place: Path) -> None:
    """Write a picture as a JPEG that is small enough for a page: a sheet of photographs is."""
    with replacing(place) as path:
        _shrunk(picture, _SHEET_PIXELS).save(path, "JPEG", quality=_QUALITY)


def _publish_run(source: Path, out: Path) -> None:
    read_material(source)  # refuses what is damaged or unfinished
    _clear(out)
    run = read_run(source)
    told = {name: portable(getattr(run, name)) for name in _TOLD}
    write_record(out / RUN_FILE, replace(run, publication=True, **told))
    there = (stored_table(source / name) for name in ROWS_FILES)
    sealed = [out / _copy(table, out) for table in there if table.is_file()]
    for path in _found(source, *REPORTED):
        place = out / path.relative_to(source)
        if path.name == MODEL_FILE:
            _copy_record(path, place)
        else:
            with replacing(place) as temporary:
                shutil.copyfile(path, temporary)
        sealed.append(place)
    seal(out, sealed)
    boards = (f"*board-{folder_name(metric)}" for metric in headlines(run))
    figures = _found(source, *(f"{FOLDER}/{name}.png" for name in (*boards, *_FIGURES)))
    sizes = dict.fromkeys(figures, _PLOT_PIXELS)
    sizes |= dict.fromkeys(_analysis_figures(source), _ANALYSIS_PIXELS)
    for path, size in sizes.items():
        _place(_shrunk(path, size), out / path.relative_to(source))
    for path in _found(source, GRID_FILE):
        save_photographs(path, out / "grid.jpg")
    write_tables(judge_all(read_material(out), out), out)
    for name in _MADE_AGAIN:
        (out / name).unlink(missing_ok=True)


def _analysis_figures(source: Path) -> Iterator[Path]:
    """Yield those that the tables' document shows."""
    for analysis in first_trained(read_analyses(source)):
        for figure in analysis.about.figures:
            yield from _found(analysis.folder, f"{figure.name}.png")


def _clear(out: Path) -> None:
    """Remove an earlier publication, and nothing else: a run's weights can't be made from it."""
    run = read_record(out / RUN_FILE, RunRecord)
    if out.exists() and any(out.iterdir()) and not (run and run.publication):
        raise XaibenchError(f"{out}: {_OTHER}")
    shutil.rmtree(out, ignore_errors=True)


def _copy(table: Path, out: Path) -> str:
    """Copy a table's rows, compressed if it is large; return its name there."""
    rows = read_table(table, compact=True)
    text = io.StringIO()
    to_csv(rows, text, float_format=_DIGITS, lineterminator="\n")
    name, content = table.name.removesuffix(".xz"), text.getvalue().encode()
    if len(content) > _LARGE:
        name, content = f"{name}.xz", lzma.compress(content)
    with replacing(out / name) as path:
        path.write_bytes(content)
    return name


def _copy_record(path: Path, place: Path) -> None:
    """Copy a model's record without the paths of this machine."""
    told = read_record(path, ModelRecord)
    write_record(place, replace(portable(told), made_from=None))


def _shrunk(picture: Path, most: tuple[int, int]) -> Image.Image:
    """Return a picture of no more pixels."""
    small = open_picture(picture).convert("RGB")
    small.thumbnail(most)
    return small


def _place(plot: Image.Image, path: Path) -> None:
    with replacing(path) as place:
        plot.quantize(_COLORS).save(place, "PNG", optimize=True)


def _found(folder: Path, *patterns: str) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(folder.glob(pattern))
