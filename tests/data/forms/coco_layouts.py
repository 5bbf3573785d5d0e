"""Where tools put COCO's annotations and images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.data.forms.coco import document, grouped, put_json
from tests.data.forms.form import DIVIDED, form
from tests.data.forms.scenes import ALL, TRAIN, VAL, boxes, put, put_images

SPLITS = (("train", TRAIN), ("val", VAL))


def _places(name: str, annotations: str, images: str, **expected: Any) -> None:
    """A document a split at one place, its images at another."""

    @form(f"COCO: {name}", **expected)
    def write(root: Path) -> None:
        for split, scenes in SPLITS:
            put_json(root / annotations.format(split), document(scenes))
            put_images(root / images.format(split), scenes)


_places("official", "annotations/instances_{}2017.json", "{}2017")
_places("official below images", "annotations/instances_{}2017.json", "images/{}2017")
_places("one folder of images", "annotations/{}.json", "images")
_places("folders beside annotations", "annotations/{}.json", "{}")
_places("instances and folders", "annotations/instances_{}.json", "images/{}")
_places("JSON files at the top", "{}.json", "images")
_places("JSON files and folders at the top", "{}.json", "{}")
_places("names of one's own", "{0}/{0}_labels.json", "{}")
_places("FiftyOne, a folder a split", "{}/labels.json", "{}/data")
_places(
    "images deep below",
    "annotations/{}.json",
    "images/camera 1/2024",
)


@form("COCO: Roboflow", findings={"class-group": 2})
def roboflow(root: Path) -> None:
    for split, scenes in (("train", TRAIN), ("valid", VAL), ("test", VAL)):
        put_images(root / split, scenes, "im{}_jpg.rf.0f3a.jpg")
        put_json(
            root / split / "_annotations.coco.json",
            document(scenes, "im{}_jpg.rf.0f3a.jpg", categories=grouped()),
        )
    put(root / "README.roboflow.txt", "exported")


@form("COCO: Roboflow without validation", **DIVIDED)
def roboflow_train_only(root: Path) -> None:
    put_images(root / "train")
    put_json(root / "train/_annotations.coco.json", document())


@form("COCO: CVAT", **DIVIDED)
def cvat(root: Path) -> None:
    put_images(root / "images/default")
    extra = {"attributes": {"occluded": False, "rotation": 0.0}, "segmentation": []}
    put_json(root / "annotations/instances_default.json", document(row=lambda d: d | extra))


@form("COCO: CVAT project with subsets")
def cvat_project(root: Path) -> None:
    for split, scenes in (("Train", TRAIN), ("Validation", VAL)):
        put_images(root / "images" / split, scenes)
        put_json(root / f"annotations/instances_{split}.json", document(scenes))


def _label_studio(name: str, file_name: str, resolved: int = 6) -> None:
    """Ids in another order, and paths in the storage of the tool."""
    findings = {"file-name-resolved": resolved} if resolved else {}

    @form(f"COCO: Label Studio, {name}", **DIVIDED, order=("green", "red"), findings=findings)
    def write(root: Path) -> None:
        put_images(root / "images", name="cb0618f6-im{}.jpg")
        put_json(
            root / "result.json",
            document(
                tuple(reversed(ALL)),
                file_name,
                row=lambda d: d | {"category_id": 2 - d["category_id"], "ignore": 0},
                categories=[{"id": 0, "name": "green"}, {"id": 1, "name": "red"}],
            ),
        )


_label_studio("relative", "images/cb0618f6-im{}.jpg", resolved=0)
_label_studio("Windows", r"images\cb0618f6-im{}.jpg")
_label_studio("storage path", "../../label-studio/media/upload/4/cb0618f6-im{}.jpg")
_label_studio("local files", "/data/local-files/?d=sets/4/cb0618f6-im{}.jpg")


@form("COCO: FiftyOne", **DIVIDED)
def fiftyone(root: Path) -> None:
    put_images(root / "data")
    put_json(root / "labels.json", document(row=lambda d: d | {"supercategory": None}))


@form("COCO: coco-annotator", **DIVIDED)
def coco_annotator(root: Path) -> None:
    put_images(root / "images")
    image = {
        "dataset_id": 3,
        "path": "/datasets/mine/im0.jpg",
        "annotated": True,
        "category_ids": [],
    }
    row = {"isbbox": True, "color": "#6a3ff2", "keypoints": [], "metadata": {}}
    put_json(
        root / "mine.json", document(image=lambda d: d | image, row=lambda d: d | row)
    )  # fmt: skip


@form("COCO: VIA", **DIVIDED, findings={"id-as-text": 18})
def via(root: Path) -> None:
    """Ids of annotations' images are text, polygons are flat."""
    put_images(root)
    flat = [box.flat for i in ALL for box in boxes(i)]
    change = lambda d: d | {"image_id": str(d["image_id"]), "segmentation": flat[d["id"] - 1]}  # noqa: E731
    put_json(root / "via_export_coco.json", document(row=change))


@form("COCO: X-AnyLabeling", findings={"file-name-resolved": 6})
def x_anylabeling(root: Path) -> None:
    for split, scenes in SPLITS:
        put_images(root / "images", scenes)
        put_json(root / f"annotations/{split}.json", document(scenes, r"..\label\im{}.jpg"))


@form("COCO: one JSON named by the user", **DIVIDED, data="labels/mine.json")
def named(root: Path) -> None:
    put_images(root / "labels/photos")
    put_json(root / "labels/mine.json", document(file_name="photos/im{}.jpg"))
    put_json(root / "labels/package.json", {"name": "not annotations"})


@form("COCO: one JSON, images below it", **DIVIDED, findings={"file-name-resolved": 6})
def single(root: Path) -> None:
    put_images(root / "photos/2024", (0, 1, 2))
    put_images(root / "photos/2025", (3, 4, 5))
    put_json(root / "annotations.json", document())
