"""A flipped byte in any file of a finished run: named, or written again, or never read."""

import logging

import pytest

from xaibench.core.errors import XaibenchError
from xaibench.explaining.dependence import is_unmeasured
from xaibench.report.current import is_current
from xaibench.report.facts.material import read_material
from xaibench.results import integrity
from xaibench.setup.cells import ledgers_of
from xaibench.setup.selection import select

# Of trainings, cells and figures some stand for all of their kind.
TRAINED = "phantom-images=48/kfold-2-fold0/pocket/seed0/"
METHODS = ("gradcam", "average_mask")
FIGURES = ("figures/board-iou.", "figures/training.")
NEVER_READ = {
    "run.log": "for people",
    "locks/": "what counts is who holds a lock, not what is in its file",
}


def stands_for_its_kind(name):
    if "/seed" in name:
        return TRAINED in name and ("cells/" not in name or name.split("/")[-2] in METHODS)
    return not name.startswith("figures/") or name.startswith(FIGURES)


def flip_in_the_middle(path):
    content = bytearray(path.read_bytes() or b"\0")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def report(out, _selection):
    read_material(out)


def go_on(_out, selection):
    ledger = next(ledgers_of(selection))
    ledger.model_is_trained()
    for method in selection.methods:
        state = ledger.cell_state(method)
        state.missing_metrics(selection.metrics)
        is_unmeasured(state)


def named_by(look, out, selection, caplog):
    caplog.clear()
    integrity._told.clear()
    try:
        look(out, selection)
    except XaibenchError as error:
        return f"{error}\n{caplog.text}"
    return caplog.text


@pytest.mark.slow
def test_a_flipped_byte_is_named_or_written_again(finished_copy, settings, caplog):
    caplog.set_level(logging.WARNING)
    selection = select({**settings, "out": str(finished_copy)})
    looks = (report, go_on)
    assert [named_by(look, finished_copy, selection, caplog) for look in looks] == ["", ""]
    assert is_current(finished_copy)
    names = [
        path.relative_to(finished_copy).as_posix()
        for path in sorted(finished_copy.rglob("*"))
        if path.is_file()
    ]
    unnoticed = []
    for name in filter(stands_for_its_kind, names):
        path = finished_copy / name
        kept = path.read_bytes()
        flip_in_the_middle(path)
        named = any(name in named_by(look, finished_copy, selection, caplog) for look in looks)
        if not named and is_current(finished_copy):
            unnoticed.append(name)
        path.write_bytes(kept)
    assert [name for name in unnoticed if not name.startswith(tuple(NEVER_READ))] == []
    assert len(names) > 200
