"""Findings: what is wrong or odd, how often, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from otadet.texts import one_line

Severity = Literal["error", "warning", "repaired", "note"]
Part = Literal["train", "val", "both"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "repaired", "note")
SPOTS = 12
"""Number of places that a finding keeps."""

BEYOND_READER = frozenset({"boxes-xyxy", "boxes-normalised", "no-objects"})
"""Errors that the readers accept: training would run and learn wrong boxes or nothing."""

ADVICE: dict[str, str] = {
    # the annotation files
    "annotations-unreadable": "fix or name the file (train_ann=..., val_ann=..., data_format=...)",
    "value-invalid": "fix these entries; the reader does not guess",
    "refused": "fix what the reader reports, then check again",
    "encoding": "check that names with accents are right; save the file as UTF-8 to be safe",
    "number-as-text": "nothing; write numbers without quotes to be strict",
    "predictions": "train on labels that somebody has checked; tools/convert_dataset.py "
    "--allow-predictions makes labels of them",
    "rows-ambiguous": "add kpt_shape: [number of key points, 2 or 3] to data.yaml, or write boxes",
    "key-points": "nothing; key points are not used",
    "image-by-name": "nothing, if files were renamed; else correct the name in the annotation",
    # ids and classes
    "id-as-text": "nothing; write whole numbers to be strict",
    "image-id-text": "nothing; predictions are listed under the new numbers and file names",
    "annotation-id-missing": "nothing; no box depends on it",
    "class-group": "nothing; Roboflow's exports have it",
    "class-name-number": "nothing, if these are the names; else name the classes",
    "image-id-double": "give each image an id of its own",
    "image-listed-twice": "list each image once",
    "annotation-id-double": "nothing; number the annotations anew to be strict",
    "category-id-double": "give each class an id of its own",
    "image-left-over": "remove them, or give them names and annotations of their own",
    "image-id-unknown": "remove these annotations or add their images to the list",
    "class-unknown": "add the class or fix the id; ids off by one often count from 0 elsewhere",
    "classes-missing": "name at least one class",
    "class-name-double": "merge the two classes, or rename one",
    "class-name-similar": "decide on one spelling; both are learned as classes of their own now",
    "class-empty": "remove the class, or add images of it: it cannot be learned",
    "class-rare": "add images of it, or repeat what is there (repeat_rare=0.01)",
    "mostly-ignored": "write iscrowd 0 for single objects (CVAT and SAM write 1 for every mask), "
    "or set voc_difficult=keep",
    "class-val-only": "add it to the training set; its AP counts as 0 in the mean",
    "classes-differ": "name the same classes in both files, or set class_names=...",
    "class-ids-differ": "classes are matched by name; check which file has the right names",
    "num-classes-differs": "leave num_classes out, or fix the list of classes",
    "no-objects": "check that these are the right annotations",
    # image files
    "folder-missing": "name the folder (train_images=..., val_images=...)",
    "file-name-resolved": "nothing, if these are the right files; else fix the names",
    "file-name-ambiguous": "name these files with the folders that they lie in",
    "file-name-outside": "use names relative to the image folder",
    "file-missing": "add the files, remove their entries, or set unreadable=skip",
    "file-empty": "copy the files again, or set unreadable=skip",
    "file-truncated": "copy the files again, or set unreadable=skip",
    "file-damaged": "copy the files again, or set unreadable=skip",
    "file-not-image": "convert or remove the files, or set unreadable=skip",
    "size-differs": "annotate the file that is trained on; the boxes belong to another size now",
    "exif-swaps": "check that the boxes fit; save the images upright to be safe",
    "exif-flips": "check that the boxes were drawn on the upright images, as most tools show them",
    # boxes
    "shape-no-area": "nothing, if they mark no objects; draw rectangles or polygons around objects",
    "box-invalid": "remove or fix these boxes",
    "box-from-mask": "nothing; the box around the mask is learned",
    "boxes-normalised": "write pixels; fractions of the image's sides are YOLO's format",
    "boxes-xyxy": "write left, top, width, height; these look like two corners",
    "box-not-normalised": "divide by the image's width and height, or set amodal=true",
    "box-no-area": "remove them; they are left out of training",
    "box-outside": "remove them; they are left out of training",
    "box-over-border": "nothing, if objects end at the border; boxes are cut there in training",
    "box-tiny": "train at a larger input size, or leave such objects out",
    "box-heap": "look at the image: so many boxes in one place are rarely meant",
    "box-double": "keep one; the second teaches the detector to detect it twice",
    "box-whole-picture": "check whether these are objects or labels of whole images",
    "box-extreme": "check whether these are right: very long, very thin",
    # images and their objects
    "picture-empty": "nothing, if they show no object; drop_empty=true leaves them out",
    "picture-double": "keep one of each; copies weigh more in training",
    "picture-alike": "check the pairs; keep one of each if they are re-encoded copies",
    "picture-in-both": "remove from one: the validation score is too high with them",
    "picture-in-both-alike": "check the pairs: copies make the validation score too high",
    "few-objects": "check for unlabelled objects; training punishes detecting them",
    # settings
    "max-detections-low": "set max_detections as high as the largest number of objects",
    "input-too-small": "train at a larger input_size, or on tiles of large images (tile=auto)",
    "anchors-unfit": "set anchor_scale as the finding says, or take a method without anchors",
    "points-many": "set dynamic_q as the finding says (docs/results.md)",
    "nms-merges": "raise nms_threshold, or use nms_kind=gaussian; compare with tools/eval.py",
    "images-of-test": "nothing, if they are for a test; else rename their folder",
    "images-by-folder": "nothing, if the folders are the splits",
    "images-hidden": "nothing, if they are copies; else rename their folder",
    "label-shared": "rename one of the images, or name labels NAME.jpg.txt and NAME.png.txt",
    "no-label-file": "nothing, if these are meant to have no objects; else see how files are named",
    "label-without-picture": "add the images or remove the files; they are not used",
}
"""What to do about each finding, by code; scripts may rely on the codes."""


@dataclass(frozen=True)
class Spot:
    """One place of a finding.

    Attributes:
        file: the file to open.
        at: where in it, such as ``annotation id 7`` or ``line 3``; empty for the whole file.
        image: name of the image; ``None`` where the place belongs to no image.
        image_id: its id in the data set, where the format has ids.
        got: the value found there.
        split: the split that ``image_index`` and ``box_index`` count in.
        image_index: index of the image, -1 for none.
        box_index: index of the annotation, -1 for none.
    """

    file: str
    at: str = ""
    image: str | None = None
    image_id: int | None = None
    got: str = ""
    part: Part = "train"
    image_index: int = -1
    box_index: int = -1

    @property
    def where(self) -> str:
        """File, place in it, and the image."""
        about = []
        if self.image_id is not None and self.at != f"image id {self.image_id}":
            about.append(f"image id {self.image_id}")
        if self.image and not self.file.endswith(self.image):
            about.append(self.image)
        where = ": ".join(filter(None, (self.file, self.at)))
        return where + (f" ({', '.join(about)})" if about else "")

    def __str__(self) -> str:
        return one_line(f"{self.where}: {self.got}" if self.got else self.where, _LONGEST)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without the indices, which mean nothing outside."""
        return {
            "file": self.file, "at": self.at, "image": self.image, "image_id": self.image_id,
            "got": self.got,
        }  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one split.

    Attributes:
        code: stable name, see :mod:`otadet.data.findings`.
        severity: ``error``: cannot train, or would learn wrong boxes; ``warning``: training
            runs and is worse for it; ``repaired``: taken with the meaning that ``text`` states;
            ``note``: worth knowing.
        part: the split.
        count: number of occurrences.
        text: one line that describes it.
        spots: the first few places.
    """

    code: str
    severity: Severity
    part: Part
    count: int
    text: str
    spots: tuple[Spot, ...] = ()

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.code]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "code": self.code, "severity": self.severity, "split": self.part, "count": self.count,
            "text": self.text, "advice": self.advice, "spots": [s.as_dict() for s in self.spots],
        }  # fmt: skip


def found(
    code: str,
    severity: Severity,
    part: Part,
    rows: Iterable[Any],
    text: str,
    spot: Callable[[int], Spot],
) -> list[Finding]:
    """Return the finding of the indices ``rows`` as a list; an empty one where there are none."""
    indices = [int(row) for row in rows]
    if not indices:
        return []
    spots = tuple(spot(row) for row in indices[:SPOTS])
    return [Finding(code, severity, part, len(indices), text, spots)]


def by_severity(findings: list[Finding]) -> list[Finding]:
    """Sort by severity, then by falling count."""
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), -f.count, f.code))


def counted(count: int, noun: str = "object") -> str:
    """Number and noun, singular for one: ``1 object``, ``2 objects``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


_LISTED = 10
_LONGEST = 500  # characters of a line: a path, a place in the file, and what came


def errors_text(findings: Iterable[Finding]) -> str:
    """Return a message of the first places of some findings, in a line each; about ten in all.

    A single place is one line; of several, every kind of error has its share.
    """
    findings = list(findings)
    count = sum(each.count for each in findings)
    if count == 1:
        return next(_line(each.text, spot) for each in findings for spot in each.spots)
    share = max(1, _LISTED // len(findings))
    lines = [line for each in findings for line in _lines(each, share)]
    return "\n  ".join([f"{count:,} errors in the annotations:", *lines])


def _lines(finding: Finding, share: int) -> list[str]:
    lines = [_line(finding.text, spot) for spot in finding.spots[:share]]
    more = finding.count - len(lines)
    return [*lines, f"and {more:,} more: {finding.advice}"] if more else lines


def _line(text: str, spot: Spot) -> str:
    joint = ", " if spot.got.startswith(("got ", "the key is missing")) else ": "
    got = f"{joint}{spot.got}" if spot.got else ""
    return one_line(f"{spot.where}: {text}{got}", _LONGEST)
