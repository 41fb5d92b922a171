"""Suites: TOML files that hold the options of one run, or of several parts that belong together.

Options are at the top; ``[parts.NAME]`` adds what a part has of its own, ``[profiles.NAME]`` what
a profile changes, and ``[parts.NAME.profiles.NAME]`` what it changes in one part alone. A profile
with ``parts = ["NAME"]`` runs only these.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from xaibench.core.errors import XaibenchError
from xaibench.core.files import read_plain
from xaibench.core.suggest import did_you_mean
from xaibench.setup.options import RunOptions

_PARTS, _PROFILES = "parts", "profiles"
_TITLE = re.compile(r"[\w-][\w .-]*")


@dataclass(frozen=True)
class SuitePart:
    """One run of a suite: its options, and the suite, profile and part that it comes from."""

    options: Mapping[str, Any]
    origin: Mapping[str, str]

    @property
    def title(self) -> str:
        """Suite, profile and part, for people."""
        return " / ".join(filter(None, self.origin.values()))


def read_suite(path: Path, profile: str = "", part: str = "") -> list[SuitePart]:
    """Read the runs of a suite; each has a folder of its own below ``results/<suite>``.

    Args:
        path: the TOML file.
        profile: one of its profiles; empty takes none.
        part: one of its parts; empty takes all.

    Raises:
        XaibenchError: the file is missing or not TOML, or has no such profile or part.
    """
    content = _read(path)
    parts, profiles = _tables(path, content, _PARTS), _tables(path, content, _PROFILES)
    _check_options(path, content)
    _check_name(path, "--part", part, parts)
    known = {*profiles, *(name for each in parts.values() for name in each.get(_PROFILES, {}))}
    _check_name(path, "--profile", profile, known)
    base = Path("results") / (f"{path.stem}-{profile}" if profile else path.stem)
    found = []
    chosen = profiles.get(profile, {}).get(_PARTS, list(parts) or [""])
    if not isinstance(chosen, list) or not all(isinstance(name, str) for name in chosen):
        raise XaibenchError(
            f"--suite {path}: [profiles.{profile}] parts = {chosen!r}; write a list of names."
        )
    for name in [part] if part else chosen:
        if name:
            _check_name(path, f"[profiles.{profile}] parts:", name, parts)
        own = parts.get(name, {})
        options = {
            "out": str(base / name),
            **_options(content),
            **_options(own),
            **_options(profiles.get(profile, {})),
            **own.get(_PROFILES, {}).get(profile, {}),
        }
        origin = {"name": path.stem, "profile": profile or "full", "part": name}
        found.append(SuitePart(_with_underscores(options), origin))
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        # Editors put a byte order mark in front, which TOML doesn't know.
        return tomllib.loads(read_plain(path).decode("utf-8-sig"))
    except FileNotFoundError:
        raise XaibenchError(f"--suite {path}: no such file; give the path of one.") from None
    except OSError as error:
        raise XaibenchError(f"--suite {path}: {error.strerror}; give a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise XaibenchError(f"--suite {path}: not a TOML file ({error}); fix it.") from error


def _tables(path: Path, content: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    found = content.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise XaibenchError(f"--suite {path}: '{name}' holds tables, [{name}.NAME].")
    for title, each in found.items():
        # A part names a folder, which must not lead outside.
        if not _TITLE.fullmatch(title):
            raise XaibenchError(
                f"--suite {path}: [{name}.{title!r}]; name it with letters, digits, '-', '_', '.' "
                "and blanks, the last two not in front."
            )
        if name == _PARTS:
            _tables(path, each, _PROFILES)
    return found


def _check_options(path: Path, content: Mapping[str, Any]) -> None:
    """Make sure that all options are known, in tables of parts and profiles, too."""
    known = {item.name for item in fields(RunOptions)}
    for key, value in content.items():
        if key in (_PARTS, _PROFILES) and isinstance(value, dict):
            for each in value.values():
                _check_options(path, each)
        elif key.replace("-", "_") not in known | {_PARTS}:
            hint = did_you_mean(key, [*known, _PARTS, _PROFILES])
            raise XaibenchError(f"--suite {path}: there is no option '{key}'{hint}; remove it.")


def _check_name(path: Path, option: str, name: str, known: Any) -> None:
    if name and name not in known:
        there = f"it has {', '.join(sorted(known))}" if known else "it has none"
        raise XaibenchError(
            f"{option} {name}: not in {path}{did_you_mean(name, sorted(known))}; {there}."
        )


def _options(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in (_PARTS, _PROFILES)}


def _with_underscores(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in options.items()}
