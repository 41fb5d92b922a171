"""``xaibench init``."""

from pathlib import Path

import click

from xaibench.commands.help import command
from xaibench.commands.options import plugin_option, say, verbosity_options
from xaibench.core.errors import XaibenchError


@command("xaibench init images", 'xaibench init "folder[path=export.json]" --out first.toml')
@verbosity_options
@click.argument("data", metavar="DATA")
@click.option(
    "--out",
    type=Path,
    default=Path("xaibench.toml"),
    metavar="FILE.toml",
    help="file to write; default xaibench.toml",
)
@plugin_option
def init(data: str, out: Path) -> None:
    """Look at your own images, and write a commented file of options to start from.

    DATA is a folder of images, a table of them or an export of a labeling tool; or a dataset as
    `xaibench run --dataset` takes it. What was found is printed: check it before you run.
    """
    from xaibench.core.files import exists, real_path
    from xaibench.core.registry import bind
    from xaibench.core.roots import open_dataset
    from xaibench.core.spec import add_option
    from xaibench.core.store import folder_name, replacing
    from xaibench.setup.first_suite import first_suite

    if exists(out):
        raise XaibenchError(f"--out {out}: this file exists already; name another one.")
    spec = add_option("folder", "path", data) if exists(Path(data)) else data
    dataset = open_dataset(bind("dataset", spec))
    found = first_suite(dataset, spec, str(out), folder_name(real_path(Path(data)).stem))
    with replacing(out) as path:
        path.write_text(found.text, "utf-8")
    for line in found.seen:
        say(line)
    say("If this is wrong, change the dataset's options (docs/howto/your_own_images.md).")
    say(f"written to {out}; next, for a first look in minutes:")
    say(f"  xaibench run --suite {out} --profile quick")
