"""Draw the picture that the README opens with: maps of a run's networks on real images.

    python benchmarks/front.py results/busi results/published/busi/maps.jpg

The images are the first test images of each class in the first fold, as in every run's own grid:
nobody chose them.
"""

import tempfile
from pathlib import Path

import click

from xaibench.core.errors import XaibenchError
from xaibench.report.facts.material import read_material
from xaibench.report.pictures.gallery import pick_rows
from xaibench.report.pictures.grid import GridRow, draw_grid
from xaibench.report.pictures.stored import Stored
from xaibench.report.publish import save_photographs

# A heading, the network by its place among the run's models, and the method.
_COLUMNS = {
    "Grad-CAM,\nplain network": (0, "gradcam"),
    "FullGrad,\nplain network": (0, "fullgrad"),
    "integrated gradients,\nplain network": (0, "integrated_gradients"),
    "Grad-CAM, guided\nby masks of 25 %": (2, "gradcam"),
    "SPN with U-Net head,\nmasks of 25 %": (4, "spn"),
    "U-Net,\nall masks": (5, "segmentation"),
}


def draw(run: Path, picture: Path) -> None:
    """Draw the columns for the images of `pick_rows`, small enough for a page.

    Raises:
        XaibenchError: the run isn't finished, kept no maps, or its data can't be read.
    """
    material = read_material(run)
    found = pick_rows(Stored(material.run), run, material)
    models = len(material.run.models)
    rows = [_merge(found[at : at + models]) for at in range(0, len(found), models)]
    if not rows or not any(heat is not None for row in rows for heat in row.maps.values()):
        raise XaibenchError(f"{run}: there are no maps of {', '.join(map(str, _COLUMNS))}.")
    with tempfile.TemporaryDirectory() as folder:
        draw_grid(rows, sheet := Path(folder, "sheet.png"))
        save_photographs(sheet, picture)


def _merge(rows: list[GridRow]) -> GridRow:
    """Bring the networks' rows of one image into one."""
    chosen = {title: (rows[place], method) for title, (place, method) in _COLUMNS.items()}
    maps = {title: row.maps.get(method) for title, (row, method) in chosen.items()}
    scores = {
        title: row.scores[method] for title, (row, method) in chosen.items() if method in row.scores
    }
    name, truth, *_ = rows[0].caption.split("\n")
    return rows[0]._replace(caption=f"{name}\n{truth}", maps=maps, scores=scores)


@click.command()
@click.argument("run", type=Path)
@click.argument("picture", type=Path)
def main(run: Path, picture: Path) -> None:
    """Draw RUN's maps into PICTURE, a JPEG."""
    try:
        draw(run, picture)
    except XaibenchError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"written: {picture}")


if __name__ == "__main__":
    main()
