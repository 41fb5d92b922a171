"""One term for one thing: the words that the glossary doesn't want are nowhere else."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
BRITISH = (
    r"colour|\bgrey|greys?\b|centre(?!d_)|neighbour|artefact|behaviour|favour|licence|labell(?:ed\b|ing)|"
    r"(?:normal|general|optim|linear|binar|summar|standard|visual|initial|minim|maxim)is(?:e|ed|es|ing|"
    r"ation)\b|analys(?:e|ed|er|ing)\b"
)
# Earlier names, which are still read, and what others have named.
NAMES = (
    *('"centre",', '"artefacts",', '"lesions"', '"analyse"', '"colour"', "normalise", "_COLOUR"),
    *("pipeline/", '"licence"'),
)
OURS = ("xaibench", "tests", "docs", "benchmarks", "examples", "results/published")
READ = {".py", ".md", ".j2", ".js", ".css", ".toml", ".yml", ".cff", ".ipynb"}
NOT_OURS = ("docs/reference/", "results/published/", "CHANGELOG.md", "tests/docs/test_words.py")
WRITTEN = ("results/published/README.md", "results/published/reported.md")


def unwanted(glossary):
    """The words in the last column of the glossary's table."""
    rows = [line.split("|")[-2] for line in glossary.splitlines() if line.startswith("| ")]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row)]


def found(name, text, words):
    """Every line that has one of the words, also where a line breaks within it."""
    flat = re.sub(r"[\"\s\\#]+", " ", text)
    for word in words:
        if word in flat:
            yield f"{name}: {word}"


def pages():
    """Name and text of each page and module of ours, in a copy without its history too."""
    files = [*ROOT.glob("*"), *(path for room in OURS for path in (ROOT / room).glob("**/*"))]
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        board = name.startswith("results/published/") and name.endswith(
            ("leaderboard.md", "study.md")
        )
        if (
            path.suffix in READ
            and path.is_file()
            and path != GLOSSARY
            and (board or name in WRITTEN or not name.startswith(NOT_OURS))
        ):
            yield name, path.read_text("utf-8")


def test_words_that_the_glossary_does_not_want_are_nowhere():
    words = unwanted(GLOSSARY.read_text("utf-8"))
    assert {"told apart", "four times in five", "mask budget"} <= set(words)
    assert list(found("page", 'rows "\n    "can\'t be told "\n  "apart', words)) == [
        "page: told apart"
    ]
    assert [each for name, text in pages() for each in found(name, text, words)] == []


def test_spelling_is_american():
    assert re.search(BRITISH, "the colours")
    assert not re.search(BRITISH, "analyses of optimism")
    wrong = []
    for name, text in pages():
        if name.startswith("results/"):  # commands and names are quoted there as they were
            continue
        for line in text.splitlines():
            shown = re.sub(r"https?://\S+|\b[a-z]+(?:19|20)\d\d[a-z]\w*", "", line)
            if re.search(BRITISH, shown, re.I) and not any(each in line for each in NAMES):
                wrong.append(f"{name}: {line.strip()}")
    assert wrong == []
