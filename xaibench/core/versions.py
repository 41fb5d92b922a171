"""Versions of installed packages."""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    return {package: found for package in packages if (found := _version(package))}


@cache  # every result tells them, and each search reads files
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
