"""What a GPU gives and what it costs: ``python benchmarks/gpu [PART ...]``, as README.md says."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import click
import maps
import speed
import torch
import training
from setting import Setting, Table

from xaibench.core.passes.device import choose_device, repeatable

PARTS: Mapping[str, Callable[[Setting], Table]] = {
    "parity": maps.parity,
    "determinism": maps.determinism,
    "speed": speed.methods,
    "scorecam": speed.scorecam,
    "training": training.steps,
    "busi": training.busi,
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--device", default="cuda", help="cpu tries the script where there is no GPU")
@click.option("--tiny", is_flag=True, help="32 pixels and a small network: does everything start?")
@click.option("--out", default="results/gpu", type=Path, help="folder of the tables")
def main(parts: tuple[str, ...], device: str, tiny: bool, out: Path) -> None:
    """Do some parts, or all of them, and write a table for each."""
    logging.getLogger("xaibench").setLevel("ERROR")
    setting = Setting(choose_device(device), out)
    if tiny:
        setting = replace(setting, network="small_resnet", size=32, images=4, few=True)
    out.mkdir(parents=True, exist_ok=True)
    name = torch.cuda.get_device_name() if setting.device.type == "cuda" else "CPU"
    for part in parts or PARTS:
        started = time.perf_counter()
        with repeatable(setting.device):
            header, rows = PARTS[part](setting)
        table = [header, ["---"] * len(header), *rows]
        lines = [f"| {' | '.join(map(str, row))} |" for row in table]
        about = f"{name}, torch {torch.__version__}, {time.perf_counter() - started:.0f} s"
        text = "\n".join([f"## {part}", "", about, "", *lines, ""])
        (out / f"{part}.md").write_text(text, "utf-8")
        click.echo(text)


main()
