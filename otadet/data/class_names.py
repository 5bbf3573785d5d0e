"""Read class names from ``classes.txt`` and its kin, or from YOLO's ``data.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from otadet.data.records import ReadOptions
from otadet.data.text_file import read_text, shown
from otadet.errors import InputError

CLASSES = "classes.txt"
_LISTS = (CLASSES, "obj.names", "_darknet.labels")
_DOCUMENTS = ("data.yaml", "data.yml", "dataset.yaml")


Yaml = str | list["Yaml"] | dict[str, "Yaml"] | None

_MAX_BYTES = 1 << 20
_MAX_VALUES = 1_000_000
_MAX_DEPTH = 100


def names_beside(*folders: Path, lists: Sequence[str] = _LISTS) -> tuple[str, ...] | None:
    """Read the names in the first of ``lists`` that lies in some folders, if any.

    Raises:
        InputError: a duplicate name, or no name.
    """
    for folder in folders:
        for name in lists:
            if (folder / name).is_file():
                return read_names(folder / name)
    return None


def found_classes(
    found: Iterable[str], how: ReadOptions, *folders: Path, lists: Sequence[str] = _LISTS
) -> tuple[str, ...]:
    """Return the class names of a format whose objects state theirs by name.

    Those of the first of ``lists`` in one of ``folders``, where no setting and no checkpoint names
    them; else all that were found, in alphabetical order, whatever the order of files.
    """
    named = how.classes is not None or how.class_names is not None
    listed = None if named else names_beside(*folders, lists=lists)
    return listed if listed is not None else tuple(sorted(set(found)))


def read_names(path: Path) -> tuple[str, ...]:
    """Read a list of names, one a line; of a ``.csv`` RetinaNet's ``name,index``.

    Raises:
        InputError: a duplicate name, no name, or indices that are not those from 0 on.
    """
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if path.suffix != ".csv":
        return _checked(lines, path)
    pairs = [line.rpartition(",")[::2] for line in lines]
    by_index = {index.strip(): name.strip().strip('"') for name, index in pairs}
    wanted = [str(index) for index in range(len(lines))]
    if sorted(by_index) != sorted(wanted):
        raise InputError(
            f"{path}: expected lines name,index with the indices 0 to {len(lines) - 1}, got "
            f"{shown(lines)}"
        )
    return _checked([by_index[index] for index in wanted], path)


def find_document(*folders: Path) -> Path | None:
    """Find YOLO's ``data.yaml`` in the first folder that has one."""
    for folder in folders:
        for name in _DOCUMENTS:
            if (folder / name).is_file():
                return folder / name
    return None


def document_names(path: Path, document: dict[str, Yaml]) -> tuple[str, ...]:
    """Return the entry ``names`` of a ``data.yaml``: a list, or names by index from 0 on.

    Raises:
        InputError: it is neither, a name is empty or a duplicate, or the number of names is not
            ``nc``.
    """
    value = document.get("names")
    if isinstance(value, dict):
        wanted = [str(index) for index in range(len(value))]
        if sorted(value) != sorted(wanted):
            raise InputError(
                f"{path}: key 'names': expected the indices 0 to {len(value) - 1}, got "
                f"{shown(sorted(value))}"
            )
        value = [value[index] for index in wanted]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InputError(f"{path}: key 'names': expected a list of names, got {shown(value)}")
    names = _checked([str(name) for name in value], path)
    count = document.get("nc")
    if count is not None and count != str(len(names)):
        raise InputError(
            f"{path}: key 'nc': expected {len(names)}, the number of names, got {shown(count)}"
        )
    return names


class _Loader(yaml.BaseLoader):
    """Keeps every scalar as text, so that classes named ``no``, ``on`` or ``1`` stay names.

    Depth is bounded: PyYAML takes time as its square.
    """

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise yaml.composer.ComposerError(problem="YAML is nested too deeply")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        return None if node.value == "" and node.style is None else super().construct_scalar(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in mapping:
                problem = "duplicate key" if isinstance(key, str) else "expected text as a key, got"
                raise yaml.constructor.ConstructorError(
                    problem=f"{problem} {shown(key)}", problem_mark=key_node.start_mark
                )
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping


def read_yaml(path: Path) -> dict[str, Yaml]:
    """Read a YAML file that holds one mapping; scalars stay text, empty ones are ``None``.

    Raises:
        InputError: the file is missing, larger than 1 MiB or no YAML (with line and column), has
            a duplicate key, is no mapping, or expands to more than a million values by aliases.
    """
    if path.is_file() and path.stat().st_size > _MAX_BYTES:
        raise InputError(f"{path}: expected at most {_MAX_BYTES} bytes, got {path.stat().st_size}")
    text = read_text(path)
    try:
        document = yaml.load(text, Loader=_Loader)
        size = _expanded_size(document, {})
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InputError(f"{path}: {at}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: broken YAML: {' '.join(str(error).split())}") from error
    if size > _MAX_VALUES:
        raise InputError(f"{path}: expected at most {_MAX_VALUES} values, got {size} by aliases")
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected 'key: value' lines, got {shown(document)}")
    return document


def _expanded_size(value: Yaml, known: dict[int, int]) -> int:
    """Number of values where each alias is written out, without writing them out."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_expanded_size(each, known) for each in inner)
    return known[id(value)]


def _checked(names: list[str], path: Path) -> tuple[str, ...]:
    if not names:
        raise InputError(f"{path}: expected the name of at least one class, got none")
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if not name:
            raise InputError(f"{path}: class {index} has an empty name; expected some text")
        if first.setdefault(name, index) != index:
            raise InputError(
                f"{path}: classes {first[name]} and {index} are both called {name!r}; expected "
                "each name once"
            )
    return tuple(names)
