"""Describe in a few lines what was read for a split: counts, repairs, and what was left out."""

from __future__ import annotations

from otadet.data.base import Dataset
from otadet.data.files import FileDataset
from otadet.data.findings import counted
from otadet.data.wrapped import innermost
from otadet.texts import one_line

_LEFT_OUT = {
    "no_area": "boxes without area",
    "outside": "boxes wholly outside their image",
    "empty_images": "images without objects (drop_empty=true)",
    "unreadable": "images that cannot be read (unreadable=skip)",
}


def summary_lines(dataset: Dataset, split: str) -> list[str]:
    """Return one line on the split, and one for each kind of repair, note and omission.

    Empty for data sets that are not read from files.
    """
    data = innermost(dataset)
    if not isinstance(data, FileDataset):
        return []
    images, objects, ignored = counted(len(data), "image"), data.num_objects, data.num_ignored
    regions = f", {counted(ignored, 'ignore region')}" if ignored else ""
    names = ", ".join(map(one_line, data.class_names[:8]))
    names += ", ..." if len(data.class_names) > 8 else ""
    classes = f"{len(data.class_names)} classes ({names})"
    lines = [
        f"{split}: {images}, {counted(objects)}{regions}, {classes}; {data.origin}: {data.source}"
    ]
    if len(dataset) != len(data):
        lines.append(f"  an epoch: {len(dataset):,} tiles or images, those that are repeated too")
    for each in data.findings:
        first = f"; first {each.spots[0]}" if each.spots else ""
        lines.append(f"  {each.severity}: {each.count:,} x {each.text}{first}")
    skipped = dataset.skipped.items()
    left = [f"{n:,} {_LEFT_OUT.get(reason, reason)}" for reason, n in skipped if n]
    return lines + ([f"  left out: {', '.join(left)}"] if left else [])
