"""Set a repeated run beside a published one: do its values fall into the published intervals?

    python benchmarks/repeat.py results/published/busi results/two_cores/busi-repeated

Boards and accuracies are read as they are. A published interval of 95 % covers new images and
new training seeds; a repetition on the same images varies less, but has an error of its own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pandas as pd

from xaibench.core.errors import XaibenchError
from xaibench.core.markdown import markdown_table
from xaibench.results.tables import read_table

_ROW = ["dataset", "split", "model", "method"]


class Repeated(NamedTuple):
    """One value of a board, and what a repetition made of it."""

    row: str
    metric: str
    published: float
    low: float
    high: float
    repeated: float

    @property
    def inside(self) -> bool:
        """Whether the repeated value falls into the published interval."""
        return self.low <= self.repeated <= self.high


def pair(published: Path, repeated: Path) -> list[Repeated]:
    """Return all values that have a published interval and are on both boards.

    Raises:
        XaibenchError: a folder has no board, or they share no row.
    """
    folders = (published, repeated)
    found = [*_pairs(*map(_accuracies, folders)), *_pairs(*map(_board, folders))]
    if not found:
        raise XaibenchError(f"{published} and {repeated} share no row; name runs of one suite.")
    return found


def _pairs(ours: pd.DataFrame, theirs: pd.DataFrame) -> Iterator[Repeated]:
    both = ours.merge(theirs, on=_ROW, suffixes=("", " repeated"))
    for metric in [name.removesuffix("_low") for name in ours if name.endswith("_low")]:
        columns = [metric, f"{metric}_low", f"{metric}_high", f"{metric} repeated"]
        if not set(columns) <= set(both):
            continue
        numbers = both[columns].apply(pd.to_numeric, errors="coerce")
        for at, values in numbers.dropna().iterrows():
            yield Repeated(" on ".join(both.loc[at, ["method", "model"]]), metric, *values)


def _board(folder: Path) -> pd.DataFrame:
    return _read(folder / "leaderboard.csv")


def _accuracies(folder: Path) -> pd.DataFrame:
    """Return a row for each classifier, as `decisions.csv` has it for each of its methods."""
    table = _read(folder / "decisions.csv")[[*_ROW, "accuracy", "accuracy_low", "accuracy_high"]]
    return table.assign(method="predictions").drop_duplicates(_ROW)


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise XaibenchError(f"{path}: no such file; name the --out folder of a finished run.")
    return read_table(path)


@click.command()
@click.argument("published", type=Path)
@click.argument("repeated", type=Path)
def main(published: Path, repeated: Path) -> None:
    """Print how many values of REPEATED fall into the intervals of PUBLISHED, and which don't."""
    try:
        found = pair(published, repeated)
    except XaibenchError as error:
        raise click.ClickException(str(error)) from error
    metrics = dict.fromkeys(each.metric for each in found)
    rows = []
    for metric in metrics:
        own = [each for each in found if each.metric == metric]
        rows.append([metric, str(sum(each.inside for each in own)), str(len(own))])
    rows.append(["all", str(sum(each.inside for each in found)), str(len(found))])
    click.echo(markdown_table(["metric", "inside", "of"], rows))
    for each in found:
        if not each.inside:
            click.echo(
                f"- {each.metric} of {each.row}: {each.repeated:.4f}, published "
                f"{each.published:.4f} [{each.low:.4f}, {each.high:.4f}]"
            )


if __name__ == "__main__":
    main()
