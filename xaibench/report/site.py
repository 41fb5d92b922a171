"""A static site of finished runs: an index, a page for each dataset and each board, downloads."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.files import real_path
from xaibench.core.store import write_text
from xaibench.report.copying import copy_publication
from xaibench.report.publication import read_document, read_publication
from xaibench.report.publish import publish
from xaibench.report.site_pages import (
    INDEX,
    StudyPage,
    board_page,
    dataset_page,
    datasets_of,
    index_page,
    study_page,
)
from xaibench.report.study import is_study, read_study
from xaibench.results.folder import RUN_FILE, STUDY_FIGURE_FILE, STUDY_FILE, STUDY_PAGE_FILE
from xaibench.results.integrity import read_record
from xaibench.results.records import RunRecord
from xaibench.results.seal import changed_since


def build_site(results: Sequence[Path], out: Path) -> Sequence[str]:
    """Write a static site; it needs no server, and asks nothing of the net.

    A publication is shown by its stored tables and pictures; other runs are published first.

    Args:
        results: folders of finished runs, studies or publications, or folders that hold such.
        out: the site's folder, new or an earlier site.

    Returns:
        The names of its boards and studies.

    Raises:
        XaibenchError: there is no run, two have the same name, one is damaged, or something else
            lies at ``out``.
    """
    if out.exists() and any(out.iterdir()) and not (out / INDEX).is_file():
        raise XaibenchError(f"{out}: something else lies there; choose another folder.")
    found = _name(list(_find(results)))
    if not found:
        listed = ", ".join(map(str, results))
        raise XaibenchError(f"{listed}: no finished run lies there; name folders of runs.")
    for name in found:
        _check_free(out / name)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Nothing is there until all is: what failed halfway would be somebody's folder the next time.
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".site-") as scratch:
        made = Path(scratch)
        _write_pages(found, made)
        out.mkdir(exist_ok=True)
        for path in sorted(made.iterdir()):
            if path.is_dir():
                shutil.rmtree(out / path.name, ignore_errors=True)
            path.replace(out / path.name)
    return list(found)


def _write_pages(found: Mapping[str, Path], out: Path) -> None:
    boards, studies = [], []
    for name, folder in found.items():
        place = out / name
        _copy(folder, place)
        if is_study(place):
            study = _study(place)
            studies.append(study)
            write_text(place / INDEX, study_page(study))
        else:
            board = read_publication(place)
            boards.append(board)
            write_text(place / INDEX, board_page(board))
    datasets = datasets_of(boards)
    for dataset in datasets:
        write_text(out / dataset.link, dataset_page(dataset))
    write_text(out / INDEX, index_page(datasets, studies))


def _copy(folder: Path, place: Path) -> None:
    if is_study(folder):
        read_study(folder)
    run = None if is_study(folder) else read_record(folder / RUN_FILE, RunRecord)
    if run is None:
        copy_publication(folder, place)
        return
    if run.publication:
        if changed := changed_since(folder):
            raise XaibenchError(
                f"{folder}: changed or gone since it was published: {', '.join(changed)}; get it "
                "again, or publish its run again."
            )
        copy_publication(folder, place)
        read_publication(folder)  # what can't be read is named where it lies, not by its copy
        return
    with tempfile.TemporaryDirectory() as scratch:
        publish(folder, Path(scratch) / folder.name)
        copy_publication(Path(scratch) / folder.name, place)


def _check_free(place: Path) -> None:
    """Make sure that there is nothing, or an earlier page of this name."""
    ours = any((place / name).is_file() for name in (RUN_FILE, STUDY_FILE))
    if place.is_symlink() or (place.exists() and not (ours and (place / INDEX).is_file())):
        raise XaibenchError(f"{place}: something else lies there; choose another folder.")


def _study(place: Path) -> StudyPage:
    about = read_study(place).about
    return StudyPage(
        place.name,
        about.name,
        about.question,
        read_document(place / STUDY_PAGE_FILE),
        STUDY_FIGURE_FILE if (place / STUDY_FIGURE_FILE).is_file() else "",
    )


def _find(results: Sequence[Path]) -> Iterator[Path]:
    """Yield the runs and studies in or below folders; those that a study holds belong to it."""
    for folder in results:
        if (folder / RUN_FILE).is_file() or (folder / STUDY_FILE).is_file():
            yield folder
        elif folder.is_dir():
            yield from _find(
                sorted(each for each in folder.iterdir() if each.is_dir() and not each.is_symlink())
            )


def _name(folders: Sequence[Path]) -> Mapping[str, Path]:
    named: dict[str, Path] = {}
    for folder in folders:
        name = real_path(folder).name
        if name in named:
            raise XaibenchError(
                f"{folder} and {named[name]} are both called {name}; rename one of them."
            )
        named[name] = folder
    return named
