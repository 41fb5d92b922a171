"""What a regular expression finds in names, found in a process of its own, as some never end.

Nothing of the package is imported here, so that this file is a small program, too.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence

_SECONDS = 20


def name_groups(pattern: str, names: Sequence[str], seconds: float = _SECONDS) -> list[str | None]:
    """Return what a regular expression's brackets match in each name, ``/``-separated.

    Without brackets it is the whole match; None where there is no match.

    Raises:
        TimeoutError: it took longer; the error's text says how many seconds.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", __file__],  # isolated, or modules beside this file come first
            input=json.dumps([pattern, list(names)]),
            stdout=subprocess.PIPE,
            timeout=seconds,
            check=True,
            encoding="ascii",
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{seconds:g}") from None
    found: list[str | None] = json.loads(done.stdout)
    return found


def _search(pattern: str, names: Sequence[str]) -> list[str | None]:
    found = map(re.compile(pattern).search, names)
    return [match and "/".join(filter(None, match.groups() or (match[0],))) for match in found]


if __name__ == "__main__":
    json.dump(_search(*json.load(sys.stdin)), sys.stdout)
