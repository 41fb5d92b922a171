"""``xaibench audit``."""

from pathlib import Path

import click

from xaibench.commands.complete import one_of
from xaibench.commands.exits import Exit
from xaibench.commands.help import command
from xaibench.commands.options import plugin_option, say, verbosity_options


@command(
    "xaibench audit --dataset busi",
    'xaibench audit --dataset "folder[path=images]"',
)
@verbosity_options
@click.option(
    "--dataset",
    required=True,
    shell_complete=one_of("dataset"),
    help="what to look at, as in `xaibench run`",
)
@click.option("--data-root", default="", metavar="DIR", help="folder that holds all data")
@click.option("--out", default="", metavar="DIR", help="default results/audit-<dataset>")
@plugin_option
def audit(dataset: str, data_root: str, out: str) -> None:
    """Look for what would spoil the numbers: duplicates, bad masks, unreadable files, overlays.

    Writes audit.csv (sample, finding, severity, detail) and groups.csv (sample, group), the images
    that show the same; `xaibench run --groups FILE` keeps those together in every split.

    All of a dataset is looked at, such as the normal images of busi, unless its options say less.

    An error is a file at which a run would stop: unreadable, or a mask that doesn't fit. A warning
    changes numbers; a note is good to know. The exit code is 1 where there are errors, else 0.
    """
    from xaibench.audit.audit import audit as look
    from xaibench.audit.audit import describe_audit, write_audit
    from xaibench.core.registry import bind
    from xaibench.core.roots import open_dataset
    from xaibench.core.store import folder_name

    bound = bind("dataset", dataset)
    found = look(open_dataset(bound.whole, data_root))
    folder = Path(out or f"results/audit-{folder_name(bound.spec)}")
    write_audit(found, folder)
    say(f"{bound.whole.spec}:")
    for line in describe_audit(found, folder):
        say(line)
    say(f"written to {folder}: audit.csv, groups.csv")
    if found.failed:
        raise SystemExit(Exit.FOUND)
