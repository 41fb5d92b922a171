"""All bad inputs with their answers; `answers.toml` is the table to read."""

import tomllib
from pathlib import Path

import bad_code
import bad_images
import bad_tables

ROWS = [*bad_images.ROWS, *bad_tables.ROWS, *bad_code.ROWS]
ANSWERS = {
    name: line
    for table in tomllib.loads(Path(__file__).with_name("answers.toml").read_text("utf-8")).values()
    for name, line in table.items()
}
