"""Folders as a tree, made from names alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from xaibench.core.reading.folders.listing import Listing
from xaibench.core.reading.images import is_image, without_ending


@dataclass
class Node:
    """A folder: its path below the root, its images and other files, and its subfolders by name."""

    path: str = ""
    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    folders: dict[str, "Node"] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    def below(self) -> Iterator["Node"]:
        """Yield the folder and all below it."""
        yield self
        for child in self.folders.values():
            yield from child.below()

    def all_images(self) -> Iterator[str]:
        """Yield the images at any depth."""
        for node in self.below():
            yield from node.images

    def all_files(self) -> Iterator[str]:
        """Yield the files of any kind at any depth."""
        for node in self.below():
            yield from node.images
            yield from node.others


def grow(listing: Listing, without: Iterable[str] = ()) -> Node:
    """Return the root of a listing's folders, without some of them."""
    root = Node()
    left_out = {path.strip("/") for path in without}
    for path in listing.folders:
        if not any(path == out or path.startswith(f"{out}/") for out in left_out):
            _reach(root, path)
    for file in listing.files:
        folder = file.rpartition("/")[0]
        if not any(folder == out or folder.startswith(f"{out}/") for out in left_out):
            node = _reach(root, folder)
            (node.images if is_image(file) else node.others).append(file)
    return root


def stem_of(file: str) -> str:
    """Return a file's name without its ending."""
    return without_ending(file.rpartition("/")[2])


def _reach(root: Node, path: str) -> Node:
    node = root
    for name in path.split("/") if path else ():
        if name not in node.folders:
            node.folders[name] = Node(f"{node.path}/{name}" if node.path else name)
        node = node.folders[name]
    return node
