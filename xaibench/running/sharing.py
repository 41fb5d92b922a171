"""Runs at work in one folder at the same time: refused where they clash, else one board for all."""

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from xaibench.core.errors import XaibenchError
from xaibench.core.fingerprints import fingerprint
from xaibench.results.integrity import intact_record, write_record
from xaibench.results.work_records import RequestRecord
from xaibench.setup.cells import ledgers_of
from xaibench.setup.options import make_options
from xaibench.setup.selection import Selection

_UNITED = ("models", "methods", "metrics", "analyses")
_LISTS = (*_UNITED, "seeds", "plugin")
_FREE = frozenset({
    *_LISTS, "controls", "batch_size", "part_size", "device", "executor", "workers", "address",
    "shared", "verify", "retry_failed", "keep_maps", "dependence", "callbacks", "out",
})  # fmt: skip
"""Options in which runs of one board may differ."""
_PASSES = ("target", "judge", "precision", "fold", "compile", "layer")


class Sharing:
    """What a run asks for, told to others that begin before it ends.

    A request stays until the last of the runs has left, so that whoever writes the tables last
    writes those of all: in any other order some would end with tables that aren't theirs.
    """

    def __init__(self, selection: Selection, command: str) -> None:
        self._selection = selection
        options = selection.options.as_dict()
        named = {kind: [each.spec for each in getattr(selection, kind)] for kind in _UNITED}
        named["methods"] = named["methods"][: len(options["methods"])]  # controls are added again
        asked = json.loads(json.dumps({**options, **named}))  # as others read it
        self._request = RequestRecord(options=asked, command=command, makes=self._makes())
        self._path = Path()

    def enter(self, folder: Path, name: str, live: Collection[str]) -> None:
        """Tell the others of this run, before any work; nobody else enters or leaves meanwhile.

        Args:
            folder: where requests lie.
            name: this run's.
            live: the names of those that are at work.

        Raises:
            XaibenchError: one of them makes the same model or maps in another way.
        """
        if not live:
            forget(folder)
        for other in live:
            self._refuse_clash(intact_record(_file(folder, other), RequestRecord))
        self._path = _file(folder, name)
        write_record(self._path, self._request)

    def united(self) -> Selection:
        """Return a selection of all that was asked for by this run, and by those done beside it."""
        write_record(self._path, replace(self._request, done=True))
        others = list(self._others())
        if not others:
            return self._selection
        everyone = [*others, self._request]
        options = dict(self._request.options)
        for name in _LISTS:
            lists = [each.options[name] for each in everyone]
            options[name] = tuple(dict.fromkeys(part for each in lists for part in each))
        options["controls"] = any(each.options["controls"] for each in everyone)
        options["out"] = str(self._selection.layout.out)
        found = Selection(make_options(options, {}))
        found.command = " & ".join(dict.fromkeys(each.command for each in everyone))
        return found

    def _others(self) -> Iterator[RequestRecord]:
        mine = self._request.options
        for path in sorted(self._path.parent.glob("asks-*.json")):
            other = None if path == self._path else intact_record(path, RequestRecord)
            if other is None or not other.done:
                continue
            theirs = other.options
            same = all(theirs.get(name) == mine[name] for name in mine.keys() - _FREE)
            more = any(set(theirs[name]) - set(mine[name]) for name in _LISTS)
            if same and (more or theirs["controls"] > mine["controls"]):
                yield other

    def _makes(self) -> dict[str, list[str]]:
        """Return what each model's folder and its maps are made from."""
        options = self._selection.options
        passes = fingerprint([getattr(options, name) for name in _PASSES])
        out = self._selection.layout.out
        return {
            ledger.folder.relative_to(out).as_posix(): [ledger.model_fingerprint, passes]
            for ledger in ledgers_of(self._selection)
            if ledger.folder.is_relative_to(out)
        }

    def _refuse_clash(self, other: RequestRecord | None) -> None:
        theirs = other.makes if other else {}
        for folder, made_from in self._request.makes.items():
            if list(theirs.get(folder, made_from)) != list(made_from):
                raise XaibenchError(
                    f"{self._selection.layout.out}: another run is at work there, and makes "
                    f"{folder} with other options; give each its own --out, or wait for its end."
                )


def forget(folder: Path) -> None:
    """Remove the requests of runs that have all ended."""
    for path in folder.glob("asks-*.json"):
        path.unlink(missing_ok=True)


def _file(folder: Path, name: str) -> Path:
    return folder / f"asks-{name}.json"
