"""``vocabulary.md``: the words that plugins may ask for, and how many do."""

from xaibench.core.contract import VOCABULARY, plural
from xaibench.core.markdown import markdown_table
from xaibench.core.registry import plugins

_INTRO = """# Vocabulary

A plugin's positional arguments are words of its kind's vocabulary, and the engine fills them. An
unknown word is an error when the file is imported. Keyword-only arguments are options. B is the
batch, C the channels, H and W the image's sides, D the channels and h, w the sides of the CAM
layer's output, K the classes; N and M are the test and the training images."""


def word_page() -> str:
    """Return the page."""
    parts = [_INTRO]
    for kind, words in VOCABULARY.items():
        known = plugins(kind)
        rows = [
            [
                f"`{word}`",
                meaning,
                ", ".join(
                    f"[{name}]({plural(kind)}.md#{name})"
                    for name, plugin in known.items()
                    if word in plugin.signature.words
                ),
            ]
            for word, meaning in words.items()
        ]
        parts += [f"## {plural(kind)}", _shortened(rows, plural(kind))]
    return "\n\n".join(parts) + "\n"


def _shortened(rows: list[list[str]], kinds: str) -> str:
    """Name who asks for a word, unless nearly everyone does."""
    few = 6
    for row in rows:
        asking = row[2].count("](")
        row[2] = row[2] if asking <= few else f"{asking} {kinds}"
    return markdown_table(["word", "what it is", "asked for by"], rows, links=True)
