"""Open a data set of any annotation format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from loguru import logger

from otadet.choices import FORMAT_NAMES, Known, Unreadable
from otadet.data.annotation_table import AnnotationTable
from otadet.data.build_table import build_table
from otadet.data.coco import read_coco
from otadet.data.csv_table import read_csv
from otadet.data.division import divided
from otadet.data.file_names import resolve_files
from otadet.data.files import FileDataset
from otadet.data.findings import Finding
from otadet.data.image_sizes import with_sizes
from otadet.data.labelme import read_labelme
from otadet.data.layouts import SplitPaths
from otadet.data.odgt import read_odgt
from otadet.data.records import ReadOptions, Records
from otadet.data.voc import read_voc
from otadet.data.yolo import read_yolo
from otadet.errors import InputError

READERS: Mapping[Known, Callable[[SplitPaths, ReadOptions], Records]] = {
    "coco": read_coco, "odgt": read_odgt, "voc": read_voc, "yolo": read_yolo,
    "labelme": read_labelme, "csv": read_csv,
}  # fmt: skip
"""Reader of each format."""


def read_records(place: SplitPaths, how: ReadOptions) -> Records:
    """Read the annotations of a split, of any format, with all findings.

    Names of images are resolved, and a set for both splits is divided.

    Raises:
        InputError: nothing can be read: a file is missing, or not of the format.
    """
    records = divided(resolve_files(READERS[place.format](place, how), place), place)
    if how.strict:
        records = replace(records, findings=tuple(map(_strict, records.findings)))
    return records


def _strict(finding: Finding) -> Finding:
    if finding.severity != "repaired":
        return finding
    return replace(finding, severity="error", text=f"{finding.text} (strict_data=true)")


def open_data(
    place: SplitPaths, how: ReadOptions | None = None, drop_empty: bool = False
) -> FileDataset:
    """Open a data set of any format.

    Args:
        place: of :func:`~otadet.data.layouts.find_data`.
        how: see :class:`~otadet.data.records.ReadOptions`.
        drop_empty: leave out images without objects.

    Raises:
        InputError: the annotations are not as their format has it, or an image is missing; lists
            the errors.
    """
    how = how or ReadOptions()
    records = read_records(place, how)
    return make_dataset(records, how, drop_empty, origin=origin(place, records.findings))


def origin(place: SplitPaths, findings: Iterable[Finding]) -> str:
    """Return in words how a split is found: format, layout, and how one set is divided."""
    words = [FORMAT_NAMES[place.format], place.layout]
    if any(each.code == "images-by-folder" for each in findings):
        words.append("split by the folders of the images")
    elif place.divide is not None:
        share = place.divide if place.split == "val" else 1 - place.divide
        words.append(f"about {share:.0%} of one set (val_fraction={place.divide:g})")
    return ", ".join(filter(None, words))


def make_dataset(
    records: Records, how: ReadOptions, drop_empty: bool = False, origin: str = ""
) -> FileDataset:
    """Make a data set of records, as :func:`open_data` does.

    Raises:
        InputError: there are findings that are errors, a class is unknown, or an image is missing.
    """
    table, skipped = _usable(records, how, drop_empty)
    return FileDataset(
        table, records.images, source=str(records.path), unreadable=how.unreadable,
        skipped=skipped, findings=records.findings, origin=origin, pixels=how.pixels,
        decoded=how.decoded,
    )  # fmt: skip


def _usable(
    records: Records, how: ReadOptions, drop_empty: bool
) -> tuple[AnnotationTable, dict[str, int]]:
    """Return the table of records without errors, and what was left out."""
    names = _names(records.sound(), how)
    records, failed = with_sizes(records)
    _report_failed(records, failed, how.unreadable)
    table, skipped = build_table(records, names)
    if drop_empty:
        full, table = table, table.without_empty()
        skipped["empty_images"] = len(full) - len(table)
    return table, {**skipped, "unreadable": len(failed)}


def _names(records: Records, how: ReadOptions) -> Sequence[str]:
    """Return the wanted classes: of a checkpoint, of the settings, else those of the data."""
    wanted = how.class_names
    if wanted is None and records.format != "yolo":  # whose numbers mean names already
        wanted = how.classes
    wanted = records.names if wanted is None else wanted
    if not wanted:
        raise InputError(f"{records.path}: expected at least one object with a class, got none")
    return wanted


def _report_failed(records: Records, failed: Mapping[int, str], unreadable: Unreadable) -> None:
    for index, message in failed.items():
        path, at = records.image_place(index)
        text = f"{message}; {': '.join(filter(None, (str(path), at)))} states no width and height"
        if unreadable == "stop":
            raise InputError(text)
        logger.warning(f"{text}; skipped")


class CocoDataset(FileDataset):
    """Data set with annotations in COCO's format.

    Class indices are contiguous in the order of the file's category ids, or those of
    ``class_names`` where given. Objects are ragged and never capped. ``iscrowd`` annotations
    become ignore regions of their class. Boxes are cut at the image's border unless they are
    amodal; those without area and those wholly outside are left out, counted in :attr:`skipped`
    and reported in one warning.

    Args:
        data_dir: the folder that the other paths are relative to.
        annotations: the JSON file.
        images: the folder that the file names are relative to.
        drop_empty: leave out images without objects.
        class_names: the classes of a checkpoint, in its order; the file's categories are matched
            by name and may be fewer.
        amodal: boxes are those of whole objects and are not cut at the image's border.
        unreadable: ``"stop"`` or ``"skip"``, see :class:`~otadet.data.files.FileDataset`.

    Raises:
        InputError: anything in the file is not as COCO's format has it, a category is unknown to
            ``class_names``, or an image is missing.
    """

    def __init__(
        self,
        data_dir: str | Path,
        annotations: str | Path,
        images: str | Path,
        *,
        drop_empty: bool = False,
        class_names: Sequence[str] | None = None,
        amodal: bool = False,
        unreadable: Unreadable = "stop",
    ) -> None:
        root = Path(data_dir)
        place = SplitPaths("coco", root, root / annotations, root / images, "train")
        how = ReadOptions(class_names, amodal=amodal, unreadable=unreadable)
        records = read_records(place, how)
        table, skipped = _usable(records, how, drop_empty)
        super().__init__(
            table, records.images, source=str(records.path), unreadable=unreadable,
            skipped=skipped, findings=records.findings, origin=origin(place, records.findings),
        )  # fmt: skip
