"""What ``--help`` prints: examples first, then options in groups, with their defaults."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # only commands that take a run's options wait for them
    from dataclasses import Field

RUN_GROUPS = {
    "Data": (
        "dataset", "data_root", "test_dataset", "test_classes", "limit", "groups", "split",
        "split_seed", "image_size", "mask_resize", "verify",
    ),
    "Models": ("models", "weights", "checkpoint", "layer", "judge"),
    "Training": (
        "recipe", "train", "seeds", "redraw", "train_fraction", "mask_fraction", "epochs",
        "train_batch_size", "train_precision", "learning_rate", "fresh_rate", "optimizer",
        "weight_decay", "schedule", "label_smoothing", "ema", "keep_epoch", "loss",
        "class_weighting", "augmentation",
    ),
    "Explaining": ("methods", "target", "label_threshold", "dependence", "keep_maps", "fold"),
    "Scoring": ("metrics", "primary", "margin", "controls", "score_at", "analyses"),
    "Compute": (
        "device", "precision", "compile", "replicas", "executor", "workers", "threads", "address",
        "shared", "batch_size", "part_size",
    ),
    "Output": ("out", "retry_failed", "strict_versions", "callbacks", "plugin"),
}  # fmt: skip
"""Each of a run's options under one heading."""
_GROUP_OF = {name: group for group, names in RUN_GROUPS.items() for name in names}
_OTHER = "Options"


class Command(click.Command):
    """A command whose help opens with examples."""

    def __init__(self, *given: Any, examples: tuple[str, ...] = (), **more: Any) -> None:
        super().__init__(*given, **more)
        self.examples = examples

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and below them what the command does."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        super().format_help_text(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group."""
        found: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if isinstance(option, click.Option) and record is not None:
                item = run_field(option)
                group = _GROUP_OF[item.name] if item else _OTHER
                said = record[1] + (_default(item) if item else "")
                found.setdefault(group, []).append((record[0], said))
        for group in (_OTHER, *RUN_GROUPS):
            if group in found:
                with formatter.section(group if len(found) > 1 else _OTHER):
                    formatter.write_dl(found[group])


def run_field(option: click.Parameter) -> "Field[Any] | None":
    """Return which of a run's options this is; None for one of the command's own."""
    return _of_runs().get(option.help or "") if isinstance(option, click.Option) else None


@cache
def _of_runs() -> "dict[str, Field[Any]]":
    from dataclasses import fields

    from xaibench.setup.options import RunOptions

    # By what they say: a command may have an option of its own that is called as one of a run's.
    return {item.metadata["help"]: item for item in fields(RunOptions)}


def command(*examples: str, name: str | None = None) -> Callable[[Callable[..., Any]], Command]:
    """Declare a command; its ``--help`` opens with the examples."""
    return click.command(name, cls=Command, examples=examples)


def _default(item: "Field[Any]") -> str:
    """Return what is in force where a run's option isn't given."""
    from xaibench.core.spec import as_text

    default = item.default
    if default in ("", ()) or "default" in item.metadata["help"]:
        return ""
    if isinstance(default, bool):
        return f"  [default: {'on' if default else 'off'}]"
    parts = default if isinstance(default, tuple) else (default,)
    return f"  [default: {', '.join(as_text(part) for part in parts)}]"
