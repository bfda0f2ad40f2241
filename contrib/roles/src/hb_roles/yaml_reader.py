"""A YAML file as plain data, with the line of every key. Only the tags of the safe loader are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import yaml  # type: ignore[import-untyped, unused-ignore]

from hb_roles.errors import ConfigError, Problem

Path: TypeAlias = tuple[str, ...]

MOST_BYTES = 4 * 2**20
MOST_DEPTH = 64
MOST_NODES = 100_000
"""Aliases let a short file stand for an endless one."""
_DEEP = f"is nested too deeply; {MOST_DEPTH} levels are allowed"
_STRING = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


class Document(NamedTuple):
    """What a file says, and the line (from 1) of each path of keys in it."""

    data: Any
    lines: Mapping[Path, int]
    file: str | None = None


def read_yaml(path: str) -> Document:
    """Read one file; ConfigError with the line for what is no YAML, and for a key that stands twice."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", file=path) from error
    except ValueError as error:
        raise ConfigError(f"{path!r}: no file has such a name", file=path) from error
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path}: is larger than {MOST_BYTES} bytes", file=path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _failure(path, "is not UTF-8", line) from None
    return read_text(text, path)


def read_text(text: str, file: str | None = None) -> Document:
    """Read the text of a file."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return Document(None, {}, file)
        lines: dict[Path, int] = {}
        problems = list(_walk(node, (), lines, [0], []))
        if problems:
            raise config_error(problems, file)
        return Document(loader.construct_document(node), lines, file)
    except ConfigError:
        raise
    except RecursionError:  # of the parser, before anything could be counted
        raise _failure(file, _DEEP, None) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The problem alone: what stands around it may be a key.
        raise _failure(file, f"is no YAML: {error.problem or error.context}", mark and mark.line + 1) from None
    except (yaml.YAMLError, ValueError) as error:  # a character that YAML does not have, a date that is none
        what = getattr(error, "reason", None) or type(error).__name__
        raise _failure(file, f"is no YAML: {what}", None) from None
    finally:
        if loader is not None:
            loader.dispose()


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], seen: list[int], above: list[int]) -> Iterator[Problem]:
    """Note the line of every key, and tell of keys that no configuration may have."""
    seen[0] += 1
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if id(node) in above:
        yield Problem(join(path), "contains itself", line)
        return
    if seen[0] > MOST_NODES:
        if seen[0] == MOST_NODES + 1:
            yield Problem(join(path), f"the file holds more than {MOST_NODES} values", line)
        return
    if len(above) > MOST_DEPTH:
        yield Problem(join(path[:3]), _DEEP, line)
        return
    inner = [*above, id(node)]
    if isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            yield from _walk(item, (*path, str(place)), lines, seen, inner)
    if not isinstance(node, yaml.MappingNode):
        return
    own: dict[str, int] = {}
    for key, value in node.value:
        at = key.start_mark.line + 1
        if key.tag == _MERGE:
            continue
        if key.tag != _STRING:
            shown = key.value if isinstance(key, yaml.ScalarNode) else "a key"
            yield Problem(join((*path, str(shown))), "a name must be text; put it in quotes", at)
            continue
        here = (*path, key.value)
        if key.value in own:
            yield Problem(join(here), f"stands twice, first in line {own[key.value]}", at)
        own.setdefault(key.value, at)
        lines[here] = at
        yield from _walk(value, here, lines, seen, inner)
    for key, value in node.value:
        if key.tag == _MERGE:  # after the own keys, which win
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                yield from _walk(part, path, lines, seen, inner)


def join(path: Path) -> str:
    """The path as it is told."""
    return ".".join(path)


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """The line of a path, or of what it would stand in."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def config_error(problems: list[Problem], file: str | None, available: tuple[str, ...] = ()) -> ConfigError:
    """One error for all problems, in the order of the file."""
    from hb_roles.errors import UnknownProviderError

    problems = sorted(problems, key=lambda problem: problem.line or 0)
    told = []
    for problem in problems:
        where = ":".join(filter(None, (file, str(problem.line or ""))))
        told.append(": ".join(filter(None, (where, problem.path, problem.message))))
    text = "\n".join(told[:10]) + (f"\n… and {len(told) - 10} more" if len(told) > 10 else "")
    if all(problem.is_provider for problem in problems):
        return UnknownProviderError(text, problems=problems, file=file, available=available)
    return ConfigError(text, problems=problems, file=file)


def _failure(file: str | None, message: str, line: int | None) -> ConfigError:
    return config_error([Problem("", message, line)], file)
