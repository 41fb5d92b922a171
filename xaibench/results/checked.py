"""Types of entries that are checked when a record is read."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from xaibench.results.plain import is_below, is_plain_name

Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=2, le=4096)]
Count = Annotated[int, Field(ge=0)]
Resize = Literal["nearest", "area"]


def _check_name(name: str) -> str:
    if not is_plain_name(name):
        raise ValueError(f"'{name}' can't be a file's name")
    return name


def _check_path(name: str) -> str:
    if not is_below(name):
        raise ValueError(f"'{name}' can't be a file of the run")
    return name


FileName = Annotated[str, AfterValidator(_check_name)]
"""The name of one file or folder, right below the record's."""
FilePath = Annotated[str, AfterValidator(_check_path)]
"""A relative path that stays below the record's folder."""


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what checks JSON against a type."""
    return TypeAdapter(kind)


def holding(kind: type) -> AfterValidator:
    """Check those entries of an open mapping that are fields of a type."""

    def check(found: Mapping[str, Any]) -> Mapping[str, Any]:
        adapter(kind).validate_json(json.dumps(found), strict=True)
        return found

    return AfterValidator(check)
