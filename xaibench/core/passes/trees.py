"""Arguments of operations as a flat list, and back: tensors are in tuples, lists and dicts."""

from collections.abc import Sequence
from typing import Any


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Return what is in a tree in order, and the tree with places in that list instead.

    >>> flatten((["a"], {"b": None}))
    (['a', None], ([0], {'b': 1}))
    """
    leaves: list[Any] = []
    return leaves, _number(tree, leaves)


def unflatten(leaves: Sequence[Any], form: Any) -> Any:
    """Return the tree of this form with other leaves.

    >>> unflatten(["x", "y"], ([0], {"b": 1}))
    (['x'], {'b': 'y'})
    """
    if type(form) is dict:
        return {key: unflatten(leaves, each) for key, each in form.items()}
    if type(form) in (tuple, list):
        return type(form)(unflatten(leaves, each) for each in form)
    return leaves[form]


def leaves_of(tree: Any) -> list[Any]:
    """Return what is in a tree, in order."""
    return flatten(tree)[0]


def _number(tree: Any, leaves: list[Any]) -> Any:
    # Exactly these: a torch.Size is a tuple, too, and one argument.
    if type(tree) is dict:
        return {key: _number(each, leaves) for key, each in tree.items()}
    if type(tree) in (tuple, list):
        return type(tree)([_number(each, leaves) for each in tree])
    leaves.append(tree)
    return len(leaves) - 1
