"""Find the images that annotations name in another spelling, or by the path of another machine."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from otadet.choices import Split
from otadet.data.files import unfound
from otadet.data.findings import found
from otadet.data.folder_tree import Tree, joined, stem_key, without_prefix
from otadet.data.layouts import SplitPaths
from otadet.data.records import Records
from otadet.data.split_words import split_of

_SHOWN = 3
_URL = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_LOCAL = re.compile(r"[?&]d=([^&]+)")  # Label Studio's /data/local-files/?d=PATH


@dataclass(frozen=True)
class ResolvedNames:
    """Result of :func:`resolve_names`.

    Attributes:
        base: the folder that ``names`` are relative to.
        names: of all images; those that were not found are unchanged.
        changed: for each changed name how it differed, in words, by index.
        ambiguous: for each name that fits several files the first three of them, by index.
    """

    base: Path
    names: tuple[str, ...]
    changed: dict[int, str] = field(default_factory=dict)
    ambiguous: dict[int, tuple[str, ...]] = field(default_factory=dict)


def resolve_names(
    names: Sequence[str], folders: Sequence[Path], split: Split | None = None
) -> ResolvedNames:
    """Find the files of images, in the first of some folders that has any of them.

    Names of files in the folder are taken as they are. For others the tree below it is searched:
    the file fits that has the longest common tail of path parts and the nearest spelling
    (exact, other case, other ending), where one is the best in both. No file is given to two
    names; none is taken whose folder states another split, unless the name states it too; and a
    name in a folder that is there is looked for in no other.

    Args:
        names: as annotations state them; empty ones are passed over.
        folders: where to look, in this order; those that do not exist are passed over.
        split: of the annotations.
    """
    for folder in folders:
        if not folder.is_dir():
            continue
        lost = unfound(names, folder)
        result = (
            _search(names, lost, folder, split) if lost else ResolvedNames(folder, tuple(names))
        )
        if len(lost) < len(names) or result.changed or result.ambiguous:
            return result
    return ResolvedNames(folders[0], tuple(names))


def resolve_files(records: Records, place: SplitPaths) -> Records:
    """Resolve the names of images, and add findings about those that were changed or fit several.

    Names whose files are missing stay as they are.
    """
    split = place.split if place.divide is None else None  # folders may state either
    result = resolve_names(records.file_names, [records.images], split)
    if not result.changed and not result.ambiguous:
        return records
    ways = Counter(result.changed.values())
    listed = ", ".join(f"{way} {count:,}" for way, count in ways.most_common())
    findings = found(
        "file-name-resolved", "repaired", records.split, result.changed,
        f"file names found in another spelling or place ({listed})",
        lambda i: records.image_spot(i, f"taken for {result.names[i]} ({result.changed[i]})"),
    )  # fmt: skip
    findings += found(
        "file-name-ambiguous", "error", records.split, result.ambiguous,
        "file names that fit several files",
        lambda i: records.image_spot(
            i, f"{records.file_names[i]!r} fits {', '.join(result.ambiguous[i])}"
        ),
    )  # fmt: skip
    return replace(records, file_names=result.names, findings=(*records.findings, *findings))


@dataclass(frozen=True)
class _Fit:
    """A file that a name may mean.

    Attributes:
        path: relative to the folder.
        tail: number of path parts that agree, from the end.
        spelling: 3 for the same name, 2 for another case, 1 for another ending.
        ways: how the name differs, in words.
    """

    path: str
    tail: int
    spelling: int
    ways: tuple[str, ...]


def _search(
    names: Sequence[str], lost: Sequence[int], folder: Path, split: Split | None
) -> ResolvedNames:
    tree = Tree.of(folder)
    fits = {i: found for i in lost if (found := _fits(names[i], tree, split))}
    best: dict[str, dict[str, int]] = {}
    for i, (first, *others) in fits.items():
        if not others:
            best.setdefault(first.path, {})[names[i]] = first.tail
    taken = set(names) - {names[i] for i in lost}
    resolved, changed = list(names), {}
    for i, (first, *others) in fits.items():
        if not others and first.path not in taken and _is_owner(names[i], best[first.path]):
            resolved[i], changed[i] = first.path, ", ".join(first.ways)
    ambiguous = {i: tuple(f.path for f in each[:_SHOWN]) for i, each in fits.items() if each[1:]}
    return ResolvedNames(folder, tuple(resolved), changed, ambiguous)


def _is_owner(name: str, tails: dict[str, int]) -> bool:
    """Of the names that fit one file, the one with the longest tail has it."""
    return all(tail < tails[name] for other, tail in tails.items() if other != name)


def _fits(name: str, tree: Tree, split: Split | None) -> list[_Fit]:
    """The best file for a name; several where none is the best in tail and spelling."""
    for parts, ways in _readings(name):
        if not parts:
            continue
        paths = tree.images.get(stem_key(parts[-1]), ())
        fits = [fit for path in paths if (fit := _fit(path, parts, ways, tree, split))]
        if fits:
            tail, spelling = max(f.tail for f in fits), max(f.spelling for f in fits)
            best = [fit for fit in fits if (fit.tail, fit.spelling) == (tail, spelling)]
            return best if len(best) == 1 else fits
    return []


def _readings(name: str) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """The parts of a name as it may be meant, and in which way that differs from it."""
    ways: tuple[str, ...] = ()
    if (local := _LOCAL.search(name)) or _URL.match(name):
        name = local[1] if local else re.split(r"[?#]", _URL.sub("", name))[0]
        ways = ("address",)
    if "\\" in name:
        name, ways = name.replace("\\", "/"), (*ways, "backslashes")
    yield _parts(name), ways
    if "%" in name and (plain := unquote(name)) != name:
        name, ways = plain, (*ways, "URL quoting")
        yield _parts(name), ways
    above, _, base = name.rpartition("/")
    if (original := without_prefix(base)) != base:
        yield _parts(joined(above, original)), (*ways, "upload's prefix")


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _fit(
    path: str, parts: list[str], ways: tuple[str, ...], tree: Tree, split: Split | None
) -> _Fit | None:
    inner = path.split("/")
    whole = [*tree.root.parts, *inner]
    tail = 1  # the names themselves agree
    while tail < min(len(parts), len(whole)) and _same(parts[-tail - 1], whole[-tail - 1]):
        tail += 1
    if split is not None and split_of("/".join(inner[:-tail])) not in (None, split):
        return None
    if tail < len(parts) and "/".join(parts[:-1]) in tree.image_folders:
        return None  # it is missing in that very folder
    if tail < len(parts) or tail > len(inner):
        ways = (*ways, "folder in front")
    elif len(inner) > tail:
        ways = (*ways, "in a folder below")
    spelling = _spelling("/".join(whole[-tail:]), "/".join(parts[-tail:]))
    if spelling < 3:
        ways = (*ways, "case" if spelling == 2 else "ending")
    return _Fit(path, tail, spelling, ways or ("composed letters",))


def _spelling(there: str, name: str) -> int:
    there, name = (unicodedata.normalize("NFC", each) for each in (there, name))
    return 3 if there == name else 2 if _same(there, name) else 1


def _same(first: str, second: str) -> bool:
    if first == second:
        return True
    first, second = (unicodedata.normalize("NFC", each).casefold() for each in (first, second))
    return first == second
