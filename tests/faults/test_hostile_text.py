"""Names and messages from outside act neither on a terminal nor in what a report writes."""

import csv
import json
import re

import pandas as pd
import pytest
from terminals import on_a_terminal

from xaibench.core.logs import logged_to
from xaibench.report.page.svg import inline_svg

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\x1b]52;c;b3duZWQ=\x07\r\u202e"
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SHOWS = """
import logging, sys, time
import click
from xaibench.commands.mistakes import in_one_line
from xaibench.commands.options import end_with, say, verbosity_options
from xaibench.core.errors import XaibenchError
from xaibench.core.progress import progress_bar
name = sys.argv[1].encode().decode("unicode_escape")

@click.command()
@verbosity_options
def show():
    log = logging.getLogger("xaibench.test")
    with progress_bar("read", name, 2) as bar:
        bar.at(name)
        time.sleep(0.6)
        bar.advance(note=name)
    log.warning("%s", name)
    try:
        raise ValueError(name)
    except ValueError:
        log.error("failed: %s", name, exc_info=True)
    say(name)
    say(name, bold=True, err=True)
    click.echo(in_one_line(XaibenchError(name)), err=True)
    click.echo(in_one_line(click.UsageError(name)), err=True)
    end_with([name])

show(args=[], standalone_mode=False)
"""


def test_a_terminal_is_sent_nothing_that_a_name_holds():
    name = f"evil{ESCAPES}name"
    _, sent = on_a_terminal(None, "-c", SHOWS, name.encode("unicode_escape").decode())
    shown = sent.count("evil\\x1b]0;owned\\x07")
    assert shown >= 9, sent
    assert "\x1b]" not in sent
    assert "\x1b[2J" not in sent
    assert not re.search("[\x07\x9b\u202e]", sent)


def test_a_log_holds_no_control_character_and_no_forged_record(tmp_path):
    forged = f"a{ESCAPES}\n2026-01-01 00:00:00,000 ERROR forged"
    (tmp_path / "run.json").touch()
    with logged_to(tmp_path, f"xaibench run {forged}"):
        pass
    text = (tmp_path / "run.log").read_text("utf-8")
    assert not HIDDEN.search(text)
    assert [line[:4] for line in text.splitlines() if "forged" in line] == ["    "]
    assert "owned" in text


def test_a_log_is_not_written_through_a_link(tmp_path):
    (tmp_path / "mine").write_text("as it was")
    (tmp_path / "run.json").touch()
    (tmp_path / "run.log").symlink_to(tmp_path / "mine")
    with logged_to(tmp_path, "xaibench run"):
        pass
    assert (tmp_path / "mine").read_text() == "as it was"


NAME = f'=HYPERLINK("http://x")<script>alert(1)</script>[a](http://b)|{ESCAPES}\\input{{c}}'


@pytest.mark.slow
def test_a_report_of_hostile_names_writes_them_as_text(finished_copy, call):
    about = json.loads((finished_copy / "run.json").read_text("utf-8"))
    about["classes"][0] = NAME
    about["warnings"] = [NAME, f"line\n# heading {NAME}"]
    about["command"] = f"xaibench run\n\\input{{/etc/passwd}} {NAME}"
    about["protocol_hash"] = "ab\n\\input{/etc/passwd}"
    (finished_copy / "run.json").write_text(json.dumps(about), "utf-8")
    for name in ("scores.csv", "predictions.csv", "costs.csv"):
        table = pd.read_csv(finished_copy / name, dtype=str, keep_default_na=False)
        table["model"] = table["model"].replace("pocket", NAME)
        table.to_csv(finished_copy / name, index=False)
    code, said, errors = call("report", finished_copy, "--accept-changes", "--full")
    assert code == 0, errors
    assert not HIDDEN.search(said + errors)
    seen = 0
    for path in sorted(finished_copy.iterdir()):
        if path.suffix not in (".md", ".csv", ".tex", ".html") or path.name in (
            "scores.csv", "predictions.csv", "costs.csv"
        ):  # fmt: skip
            continue
        text = path.read_text("utf-8")
        seen += "HYPERLINK" in text
        assert not HIDDEN.search(text), path
        if path.suffix == ".csv":
            cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
            assert not any(cell.startswith(("=", "@", "+")) for cell in cells), path
        if path.suffix == ".md":  # a block of code shows what is in it
            text = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
            assert "[a](http" not in text, path
        if path.suffix in (".md", ".html"):
            assert "<script>alert" not in text, path
        if path.suffix == ".html":
            assert 'href="http://b"' not in text
        if path.suffix == ".tex":
            commands = [line for line in text.splitlines() if not line.startswith("%")]
            assert not any("\\input" in line for line in commands), path
    assert seen >= 5


SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
width="3pt; position: fixed" onload="alert(1)"><script>alert(1)</script>
<rect style="fill: url(http://b/x)"/><rect fill="URL( 'http://b')"/><rect fill="url(#a)" id="a"/>
<rect style="fill: u\\72l(http://b)"/><a xlink:href="http://b"><text>t</text></a>
<image xlink:href="http://b/x.png"/><use href="http://b/x.svg#y"/></svg>"""


def test_a_figure_from_elsewhere_fetches_and_runs_nothing(tmp_path):
    (tmp_path / "x.svg").write_text(SVG, "utf-8")
    inline = str(inline_svg(tmp_path / "x.svg", "p-"))
    assert 'fill="url(#p-a)"' in inline
    for word in ("http://b", "script", "alert", "fixed", "72l"):
        assert word not in inline
