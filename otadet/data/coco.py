"""COCO's annotation format: https://cocodataset.org/#format-data, checked before it is used.

Read without ``pycocotools.COCO``, which checks nothing: a wrong id there is an object that is
silently never learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from otadet.choices import Unreadable
from otadet.data.annotation_table import AnnotationTable, Ints
from otadet.data.build_table import Columns, build_table, class_order
from otadet.data.files import FileDataset, check_inside
from otadet.data.image_file import read_size
from otadet.data.json_rows import Rows, load_json
from otadet.errors import InputError


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
        path, folder = Path(data_dir) / annotations, Path(data_dir) / images
        table, skipped = read_coco(path, folder, class_names, amodal)
        if drop_empty:
            full, table = table, table.without_empty()
            skipped["empty_images"] = len(full) - len(table)
        super().__init__(table, folder, source=str(path), unreadable=unreadable, skipped=skipped)


def read_coco(
    path: Path, images: Path, class_names: Sequence[str] | None = None, amodal: bool = False
) -> tuple[AnnotationTable, dict[str, int]]:
    """Read and check a COCO file.

    Args:
        path: the JSON file.
        images: the image folder, looked into only for images whose size the file does not state.
        class_names: the wanted order of classes, see :class:`CocoDataset`.
        amodal: see :class:`CocoDataset`.

    Returns:
        The table, in the file's order of images, and how many boxes were left out: ``no_area``
        and ``outside``.

    Raises:
        InputError: names the file, the annotation, the image id and the key.
    """
    document = load_json(path)
    image_rows = Rows.of(path, document, "images", "image")
    category_rows = Rows.of(path, document, "categories", "category")
    rows = Rows.of(path, document, "annotations", "annotation")

    category_ids, labels_of, names = _classes(category_rows, class_names)
    image_ids = image_rows.unique_integers("id")
    file_names = image_rows.strings("file_name")
    sizes = _sizes(image_rows, images, file_names)

    rows.unique_integers("id")
    image = _look_up(rows, "image_id", image_ids, "the id of one of the file's images")
    category = _look_up(rows, "category_id", category_ids, _listed(category_ids))
    xywh = rows.boxes("bbox")
    areas = rows.numbers("area", np.nan, "a number >= 0")
    crowd = rows.numbers("iscrowd", 0, "0 or 1")
    if not np.isin(crowd, (0, 1)).all():
        raise rows.fault(int(np.argmin(np.isin(crowd, (0, 1)))), "iscrowd", "0 or 1")

    xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    columns = Columns(
        image=image,
        labels=labels_of[category],
        boxes=xyxy,
        areas=areas,
        ignored=crowd == 1,
        path=path,
        place=lambda row: rows.where(row).removeprefix(f"{path}: "),
    )
    return build_table(names, image_ids, file_names, sizes, columns, amodal)


def _classes(rows: Rows, class_names: Sequence[str] | None) -> tuple[Ints, Ints, tuple[str, ...]]:
    """Return the category ids, ascending, the class index of each, and the class names."""
    ids, names = rows.unique_integers("id"), rows.strings("name")
    if not len(ids):
        raise InputError(f"{rows.path}: key 'categories': expected at least one, got none")
    for index, name in enumerate(names):
        if name in names[:index]:
            raise rows.fault(index, "name", "a name that no other category has")
    order = np.argsort(ids)
    sorted_names = tuple(names[i] for i in order)
    if class_names is None:
        return ids[order], np.arange(len(ids)), sorted_names
    labels = class_order(sorted_names, class_names, str(rows.path))
    return ids[order], labels, tuple(class_names)


def _sizes(rows: Rows, images: Path, file_names: list[str]) -> Ints:
    """``[N, 2]`` height and width; from the image file where the JSON does not state them."""
    sizes = np.stack(
        [rows.numbers(key, np.nan, "a whole number >= 1", low=1) for key in ("height", "width")],
        axis=1,
    )
    for column, key in enumerate(("height", "width")):
        broken = sizes[:, column] % 1 > 0
        if broken.any():
            raise rows.fault(int(np.argmax(broken)), key, "a whole number >= 1")
    for index in np.flatnonzero(np.isnan(sizes).any(axis=1)):
        check_inside(file_names[index], rows.where(int(index)))
        try:
            sizes[index] = read_size(images / file_names[index])
        except InputError as error:
            raise InputError(
                f"{error}; {rows.where(int(index))} states no width and height"
            ) from None
    return sizes.astype(np.int64)


def _look_up(rows: Rows, key: str, ids: Ints, expected: str) -> Ints:
    """The place in ``ids`` of each row's ``key``."""
    values = rows.integers(key)
    order = np.argsort(ids)
    place = np.minimum(np.searchsorted(ids, values, sorter=order), len(ids) - 1)
    known = ids[order[place]] == values if len(ids) else np.zeros(len(values), bool)
    if not known.all():
        raise rows.fault(int(np.argmin(known)), key, expected)
    return order[place] if len(ids) else place


def _listed(ids: Ints) -> str:
    shown = ", ".join(str(i) for i in ids[:10])
    return f"one of the file's category ids {shown}{', ...' if len(ids) > 10 else ''}"
