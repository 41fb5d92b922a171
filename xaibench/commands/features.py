"""``xaibench features``."""

from pathlib import Path
from typing import Any

import click

from xaibench.commands.complete import one_of
from xaibench.commands.help import command
from xaibench.commands.options import (
    command_line,
    end_with,
    given_ones,
    say,
    text_option,
    verbosity_options,
)
from xaibench.commands.run import run_options
from xaibench.commands.stored import pictures_argument, ready_model, run_option, weights_option
from xaibench.core.errors import XaibenchError
from xaibench.core.logs import logged_to


@command(
    "xaibench features scans/*.png --run results/busi",
    "xaibench features cat.jpg --model resnet18 --weights imagenet --layers conv1,layer4",
)
@verbosity_options
@pictures_argument
@run_option
@text_option("--model", "SPEC", "one of the run's, or one with --weights", one_of("model"))
@click.option("--layers", default="", metavar="A,B", help="default the CAM layer")
@click.option(
    "--channels",
    type=click.IntRange(min=1),
    default=24,
    help="channels shown of each layer; default 24",
)
@click.option(
    "--best", type=click.IntRange(min=1), default=8, help="patches shown of each channel; default 8"
)
@click.option("--out", type=Path, default=Path("features"), metavar="DIR",
              help="folder for pictures and table; default features")  # fmt: skip
@weights_option
@run_options("image_size", "device", "plugin")
def features(
    images: tuple[str, ...],
    *,
    run: Path | None,
    model: str,
    layers: str,
    channels: int,
    best: int,
    out: Path,
    **given: Any,
) -> None:
    """Show what a trained network looks for: filters, feature maps, what excites channels.

    IMAGE is a file, a folder or a pattern: a part of the dataset, for patches. Writes filters.png
    (of the first layer), maps-LAYER.png (of the first image), patches-LAYER.png and patches.csv.
    """
    from xaibench.core.spec import split_list
    from xaibench.explaining.features import LayerView, features_of
    from xaibench.explaining.pictures import find_pictures, read_pictures
    from xaibench.report.feature_sheets import write_features, write_filters

    files, missing = find_pictures(images, out)
    failures = dict(missing)
    ready = ready_model(run, model, (None, None), [], given_ones(given))
    read = dict(read_pictures(files, ready.blank.shape[1], failures))
    if not read:
        raise XaibenchError(" ".join(f"{what}: {why}" for what, why in failures.items()))
    pictures = list(read.values())
    with logged_to(out, command_line()):
        first = LayerView(ready, "", pictures)
        write_filters(first.filters(), first.name, out)
        write_features(
            features_of(ready, split_list(layers), pictures, channels, best),
            [file.name for file in read],
            out,
        )
    say(f"written to {out}: filters.png, maps and patches of each layer, patches.csv")
    end_with(f"{what}: {why}" for what, why in failures.items())
