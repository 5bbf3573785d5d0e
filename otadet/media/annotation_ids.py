"""Image and category ids of a COCO file, for results that are to be scored against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from loguru import logger

from otadet.data import ReadOptions, SplitPaths, ids_by_name
from otadet.data.coco import read_coco
from otadet.errors import InputError
from otadet.media.images import ImageSource


@dataclass(frozen=True)
class AnnotationIds:
    """Ids of a COCO file, found by the names of classes and of image files.

    Attributes:
        path: the file.
        classes: id of each category by name.
        images: names and ids of the images, by the name without its folders.
    """

    path: Path
    classes: dict[str, int]
    images: dict[str, list[tuple[str, int]]]

    @staticmethod
    def read(path: Path) -> AnnotationIds:
        """Read the images and categories of a COCO file; its annotations may be faulty or none.

        Raises:
            InputError: it is missing or no JSON, or its ids are no numbers.
        """
        place = SplitPaths("coco", path.parent, path, path.parent, "val")
        records = read_coco(place, ReadOptions())
        if not (records.has_ids and records.class_ids):
            raise InputError(f"{path}: expected images and categories whose ids are numbers")
        images = defaultdict(list)
        for name, number in zip(records.file_names, records.image_ids.tolist()):
            name = name.replace("\\", "/")
            images[PurePosixPath(name).name].append((name, number))
        return AnnotationIds(path, dict(zip(records.names, records.class_ids)), dict(images))

    def of_classes(self, class_names: Sequence[str]) -> tuple[int, ...]:
        """Return the id of each class; one that the file does not list gets a free one.

        Raises:
            InputError: the file lists none of the classes.
        """
        missing = [name for name in class_names if name not in self.classes]
        if len(missing) == len(class_names):
            raise InputError(
                f"{self.path}: categories are {', '.join(self.classes)}; expected some of the "
                f"checkpoint's classes, {', '.join(class_names)}"
            )
        ids = ids_by_name(class_names, list(self.classes), list(self.classes.values())) or ()
        for name in missing:
            number = ids[class_names.index(name)]
            logger.warning("{}: no category {!r}: its id is {}", self.path, name, number)
        return ids

    def of_images(self, images: Sequence[ImageSource]) -> list[int]:
        """Return the id of each image, found by its name, and by its folders where several have it.

        Raises:
            InputError: an image is not in the file, or two have the same entry.
        """
        ids: dict[int, str] = {}
        for image in images:
            number = self._find(image)
            if number in ids:
                raise InputError(
                    f"{self.path}: {ids[number]} and {image.where} are the same image, id {number}"
                )
            ids[number] = image.where
        return list(ids)

    def _find(self, image: ImageSource) -> int:
        listed = self.images.get(image.name, [])
        where = image.name if image.path is None else image.path.absolute().as_posix()
        tails = [(len(name), number) for name, number in listed if f"/{where}".endswith(f"/{name}")]
        if tails:
            return max(tails)[1]
        if len(listed) == 1:
            return listed[0][1]
        found = ", ".join(name for name, _ in listed[:3]) or "no such name"
        raise InputError(f"{self.path}: expected one image {image.where}, got {found}")
