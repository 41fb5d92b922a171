"""A plugin file whose methods all keep the contract, or none of them counts."""

from collections.abc import Sequence
from pathlib import Path

from xaibench.checks.run import check_plugin, find
from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import Bound


def sound_methods(file: Path) -> Sequence[Bound]:
    """Return a file's methods; the file is code, and is run.

    Raises:
        XaibenchError: it has no method, or one breaks a rule.
    """
    methods = [each for each in find(str(file)) if each.plugin.kind == "method"]
    if not methods:
        raise XaibenchError(f"{file}: it has no method; `xaibench list` names what plugins are.")
    for each in methods:
        if broken := check_plugin(each).broken:
            raise XaibenchError(
                f"{file}: {each.spec} breaks {broken} rules; see `xaibench check {file}`."
            )
    return methods
