"""Reading XML files that people send each other, without what makes them dangerous."""

from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

from xaibench.core.errors import XaibenchError
from xaibench.core.files import read_plain


def read_xml(path: Path, root: str, kind: str) -> ElementTree.Element:
    """Return the root of a file.

    Args:
        path: the file.
        root: what its root must be called.
        kind: who writes such files, for messages.

    Raises:
        XaibenchError: it is unreadable, not well-formed, another kind of file, or has a document
            type (whose entities can be made to swallow all memory).
    """
    try:
        found = _parse(path)
    except OSError as error:
        raise XaibenchError(
            f"{path}: cannot be read ({error.strerror}); fix or remove it."
        ) from error
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise XaibenchError(f"{path}: not well-formed XML ({error}); fix or remove it.") from error
    if found.tag != root:
        raise XaibenchError(
            f"{path}: its root is <{found.tag}>, not the <{root}> of {kind}; remove it."
        )
    return found


def _parse(path: Path) -> ElementTree.Element:
    # ElementTree's own parser gives no way to refuse a document type before it is expanded.
    def refuse(*_declaration: object) -> NoReturn:
        raise XaibenchError(f"{path}: refused, it declares a document type; remove <!DOCTYPE ...>.")

    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(read_plain(path), True)
    return builder.close()
