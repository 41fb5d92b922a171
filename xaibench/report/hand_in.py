"""A submission that is ready for a pull request: a publication with a card."""

from collections.abc import Sequence
from pathlib import Path

from xaibench.core.fingerprints import checksum
from xaibench.core.store import write_text
from xaibench.report.judging.stored_board import read_board
from xaibench.report.publish import publish
from xaibench.report.wording.card import card_to_markdown
from xaibench.results.folder import BOARD_FILE, CARD_FILE, RUN_FILE
from xaibench.results.stored_run import read_run


def write_submission(scored: Path, given: Path, names: Sequence[str], out: Path) -> Path:
    """Publish scored methods with ``card.md``: model, data, supervision, compute and checksums.

    Args:
        scored: the folder in which they were scored.
        given: the file that was handed in.
        names: of the methods.
        out: the submission's folder, new or an earlier one.

    Returns:
        The card.

    Raises:
        XaibenchError: the scores aren't whole, or something else lies at ``out``.
    """
    publish(scored, out)
    run = read_run(out)
    files = {given.name: given, RUN_FILE: out / RUN_FILE, BOARD_FILE: out / BOARD_FILE}
    sums = {name: checksum(path) or "" for name, path in files.items()}
    card = out / CARD_FILE
    write_text(card, card_to_markdown(names, read_board(out, run), run, sums))
    return card
