"""The structure of a folder of images: classes, parts and annotations, from the names alone.

Folders may be nested in any order: ``train/cat``, ``cat/train``, ``images/train/cat`` beside
``masks/train/cat``, ``cat/images`` beside ``cat/masks``, ``masks/cat`` beside ``cat``.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from xaibench.core.reading.annotations import natural_order
from xaibench.core.reading.folders.listing import Listing
from xaibench.core.reading.folders.names import (
    names_annotations,
    names_images,
    part_of,
    topic_of,
    words_of,
)
from xaibench.core.reading.folders.tree import Node, grow, stem_of
from xaibench.core.reading.mask_names import base_of

_OVERLAP = 0.5
_FEWEST_PARTS = 2

LookLikeMasks = Callable[[Iterable[str]], bool]
"""Whether files, told by their paths, look like masks rather than images."""


class Home(NamedTuple):
    """What the folders say of an image: its class, and the part of a split or ``""``."""

    label: str
    part: str


class Annotations(NamedTuple):
    """A folder of masks or boxes, and the folder whose images they belong to (``""``: the root)."""

    folder: str
    of: str
    files: tuple[str, ...]


@dataclass
class Arrangement:
    """What was recognized. What has no place in a layout is listed, for others to refuse or tell.

    Attributes:
        classes: their names, in natural order.
        homes: class and part of each image, by its path.
        annotations: folders of masks and boxes.
        plain: folders that stand for images as such or for a part, which no key needs.
        loose: images that lie in no class.
        unpaired: folders that are named and look like masks, but go with no image there.
        beside_parts: folders beside those of parts that are none.
        inner: by class, the names of the folders right inside it that mean nothing in particular.
    """

    classes: tuple[str, ...] = ()
    homes: dict[str, Home] = field(default_factory=dict)
    annotations: list[Annotations] = field(default_factory=list)
    plain: set[str] = field(default_factory=set)
    loose: list[str] = field(default_factory=list)
    unpaired: list[str] = field(default_factory=list)
    beside_parts: list[str] = field(default_factory=list)
    inner: dict[str, set[str]] = field(default_factory=dict)


def arrange(
    listing: Listing,
    look_like_masks: LookLikeMasks,
    *,
    without: Iterable[str] = (),
    literal: Collection[str] = (),
) -> Arrangement:
    """Recognize a layout.

    Args:
        listing: the names.
        look_like_masks: asked only where a name could be a class's as well as that of masks.
        without: folders to leave aside, since options name them.
        literal: folders right below the root that are classes, whatever they are called.
    """
    reader = _Reader(look_like_masks)
    root = grow(listing, without)
    if literal:
        for name in literal:
            reader.fill(root.folders[name], name, "")
    else:
        reader.divide(root, "")
    found = reader.found
    found.classes = tuple(sorted(found.inner, key=natural_order))
    # Splits hang on the order of the samples, which is that of the paths.
    found.homes = {file: found.homes[file] for file in listing.files if file in found.homes}
    return found


class _Reader:
    def __init__(self, look_like_masks: LookLikeMasks) -> None:
        self.found = Arrangement()
        self._look_like_masks = look_like_masks

    def divide(self, node: Node, part: str) -> None:
        """Look for classes right below a folder, or below the parts and images inside it."""
        others = self._without_annotations(node)
        self.found.loose += node.images
        parts = {child.name: part_of(child.name) for child in others}
        told = {each for each in parts.values() if each}
        if others and not part and all(parts.values()):
            self._pass_through(others, parts)
        elif others and all(names_images(child.name) for child in others):
            self._pass_through(others, dict.fromkeys(parts, part))
        else:
            if not part and len(told) >= _FEWEST_PARTS:
                self.found.beside_parts += (c.path for c in others if not parts[c.name])
            for child in others:
                if self._is_unpaired(child):
                    self.found.unpaired.append(child.path)
                self.fill(child, child.name, part)

    def _pass_through(self, folders: Iterable[Node], parts: dict[str, str]) -> None:
        for child in folders:
            self.found.plain.add(child.path)
            self.divide(child, parts[child.name])

    def fill(self, node: Node, label: str, part: str) -> None:
        """Take all images below a folder into one class."""
        inner = self.found.inner.setdefault(label, set())
        for child in self._fill(node, label, part):
            if child.path in self.found.plain:
                inner.update(n for n in child.folders if not names_annotations(n))
            else:
                inner.add(child.name)

    def _fill(self, node: Node, label: str, part: str) -> list[Node]:
        self.found.homes.update((image, Home(label, part)) for image in node.images)
        others = self._without_annotations(node, inside=True)
        for child in [each for each in others if self._is_unpaired(each)]:
            self.found.unpaired.append(child.path)
            others.remove(child)
        parts = {child.name: part_of(child.name) for child in others}
        parted = not part and len(set(parts.values()) - {""}) >= _FEWEST_PARTS
        parted = parted and all(parts.values())
        for child in others:
            if parted or names_images(child.name):
                self.found.plain.add(child.path)
            self._fill(child, label, parts[child.name] if parted else part)
        return others

    def _is_unpaired(self, child: Node) -> bool:
        return names_annotations(child.name) and self._look_like_masks(child.all_images())

    def _without_annotations(self, node: Node, *, inside: bool = False) -> list[Node]:
        """Return the subfolders, and note which of them hold masks and boxes of what lies here.

        ``inside`` a class none of them can be a class of its own.
        """
        children = list(node.folders.values())
        named = [child for child in children if names_annotations(child.name)]
        others = [child for child in children if child not in named]
        for child in named:
            files = tuple(child.all_files())
            if mate := self._mate(child, node, others):
                self.found.annotations.append(Annotations(child.path, mate.path, files))
            elif self._belongs(child, node, others, inside=inside):
                self.found.annotations.append(Annotations(child.path, node.path, files))
            else:
                others.append(child)
        return [child for child in children if child in others]

    def _mate(self, child: Node, node: Node, others: list[Node]) -> Node | None:
        """Return the folder of the same topic whose images a folder annotates: cat of cat_masks."""
        topic, images = topic_of(child.name), list(child.all_images())
        mates = [each for each in others if topic and images and topic_of(each.name) == topic]
        if len(mates) != 1:
            return None
        told = topic != words_of(mates[0].name)
        return mates[0] if self._names_repeat(images, node, mates, inside=told) else None

    def _belongs(self, child: Node, node: Node, others: list[Node], *, inside: bool) -> bool:
        """Whether a folder named after annotations holds those of the images beside it."""
        images = list(child.all_images())
        if not images:
            return any(True for _ in child.all_files())
        if any(names_images(other.name) for other in others):
            return True
        inner, beside = set(child.folders), {other.name for other in others}
        if inner and inner <= beside:
            return True
        deeper = {name for other in others for name in other.folders}
        if inner and inner <= deeper and all(part_of(other.name) for other in others):
            return True
        return self._names_repeat(images, node, others, inside=inside)

    def _names_repeat(
        self, images: list[str], node: Node, others: list[Node], *, inside: bool
    ) -> bool:
        """Whether files are named like those beside their folder, and are no class of their own."""
        stems = {stem_of(file) for file in images}
        beside = [{stem_of(file) for file in other.all_images()} for other in others]
        beside.append({stem_of(file) for file in node.images})
        known = set[str]().union(*beside)
        matched = {stem for stem in stems if stem in known or base_of(stem) in known}
        if len(matched) < _OVERLAP * len(stems):
            return False
        # Several classes may count their images alike; masks of all of them repeat each once.
        apart = sum(map(len, beside)) == len(known) and sum(map(bool, beside)) > 1
        return inside or apart or self._look_like_masks(images)
