"""A folder as a user has it: a checkpoint, photos, a video, data sets, and files of his own."""

from __future__ import annotations

import shutil
from pathlib import Path

from otadet.data import ShapesDataset, write_image
from tests.doctor.broken import make_coco, make_yolo
from tests.export.networks import checkpoint
from tests.media.videos import write_video

THESIS = "the only copy\n"


def make_world(folder: Path) -> Path:
    """A new folder of this kind."""
    (folder / "in").mkdir(parents=True)
    checkpoint(folder)
    for index in range(2):
        image = ShapesDataset(1, seed=index, size=(80, 110), object_size=(20.0, 50.0)).load(0).image
        write_image(folder / f"in/{index}.jpg", image)
    write_video(folder / "street.mp4", frames=3, size=(64, 96), rate=10)
    make_coco(folder / "coco")
    make_yolo(folder / "yolo")
    (folder / "thesis.txt").write_text(THESIS, encoding="utf-8")
    return folder


def copied(world: Path, target: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(world, target, symlinks=True))


def content(folder: Path) -> dict[str, object]:
    """What lies in a folder: bytes of files, targets of links, folders, by relative path."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = path.read_bytes() if path.is_file() else "folder" if path.is_dir() else ""
    return found


def own(path: Path, text: str = THESIS) -> None:
    """A file that is the user's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
