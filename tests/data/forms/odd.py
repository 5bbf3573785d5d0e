"""Forms that no tool writes as they are: what becomes of sets that people pass on."""

from __future__ import annotations

from pathlib import Path

from tests.data.forms.coco import document, put_json
from tests.data.forms.csv import TENSORFLOW, table, tensorflow
from tests.data.forms.form import DIVIDED, form
from tests.data.forms.labelme import annotation
from tests.data.forms.scenes import ALL, TRAIN, VAL, encoded, put, put_images
from tests.data.forms.voc import put_xml
from tests.data.forms.yolo import NAMES, YAML, put_labels, row

SPLITS = (("train", TRAIN), ("val", VAL))


@form("odd: a folder in the folder")
def unpacked(root: Path) -> None:
    """As an archive unpacks that holds its own folder, and a Mac's beside it."""
    for split, scenes in SPLITS:
        put_images(root / "mine/images", scenes)
        put_json(root / f"mine/annotations/{split}.json", document(scenes))
    put_images(root / "__MACOSX/mine/images", ALL, "._im{}.jpg")


@form("odd: what a Mac leaves beside COCO's files")
def mac_coco(root: Path) -> None:
    for split, scenes in SPLITS:
        put_images(root / split, scenes)
        put_json(root / split / "labels.json", document(scenes))
        put(root / split / "._labels.json", b"\0\5\x16\7\0")
        put(root / split / ".DS_Store", b"\0")


@form("odd: what a Mac leaves beside XML files", **DIVIDED)
def mac_voc(root: Path) -> None:
    put_images(root)
    put_xml(root)
    for scene in ALL:
        put(root / f"._im{scene}.xml", b"\0\5\x16\7\0")
        put(root / f"._im{scene}.jpg", b"\0\5\x16\7\0")


@form("odd: what a Mac leaves beside labels")
def mac_yolo(root: Path) -> None:
    for split, scenes in SPLITS:
        put_images(root / "images" / split, scenes)
        put_labels(root / "labels" / split, scenes)
        put(root / f"labels/{split}/._im0.txt", b"\0\5\x16\7\0")
    put(root / "data.yaml", YAML)


@form("odd: capitals")
def capitals(root: Path) -> None:
    for split, scenes in (("Train", TRAIN), ("Val", VAL)):
        put_images(root / "Images" / split, scenes)
        put_labels(root / "Labels" / split, scenes)
    put(root / "classes.txt", "red\ngreen\n")


@form("odd: training and validation")
def long_names(root: Path) -> None:
    for split, scenes in (("training", TRAIN), ("validation", VAL)):
        put_images(root / split, scenes)
        put_json(root / f"annotations/{split}.json", document(scenes))


@form("odd: training and test", scenes=TRAIN, **DIVIDED)
def with_test(root: Path) -> None:
    for split, scenes in (("train", TRAIN), ("test", VAL)):
        put_images(root / "images" / split, scenes)
        put_labels(root / "labels" / split, scenes)
    put(root / "data.yaml", "train: images/train\ntest: images/test\n" + NAMES)


@form("odd: Roboflow's darknet")
def darknet(root: Path) -> None:
    for split, scenes in (("train", TRAIN), ("valid", VAL), ("test", VAL)):
        put_images(root / split, scenes)
        put_labels(root / split, scenes)
        put(root / split / "_darknet.labels", "red\ngreen\n")


@form("odd: videos in folders, frames of the same names")
def frames(root: Path) -> None:
    for split, scenes in SPLITS:
        for scene in scenes:
            put_images(root / f"images/{split}/video {scene}", (scene,), "0001.jpg")
            put_labels(root / f"labels/{split}/video {scene}", (scene,), "0001.txt")
    put(root / "data.yaml", YAML)


@form("odd: lists of folders")
def lists(root: Path) -> None:
    for part in range(3):
        put_images(root / f"images/{part}", (2 * part, 2 * part + 1))
        put_labels(root / f"labels/{part}", (2 * part, 2 * part + 1))
    put(root / "data.yaml", "train: [images/0, images/1]\nval:\n  - images/2\n" + NAMES)


@form("odd: labelme, cameras in folders", **DIVIDED)
def cameras(root: Path) -> None:
    for scene in ALL:
        put_images(root / f"camera {scene}", (scene,), "shot.jpg")
        put_json(root / f"camera {scene}/shot.json", annotation(scene, "shot.jpg"))


@form("odd: VOC, cameras in folders")
def voc_cameras(root: Path) -> None:
    for scene in ALL:
        put_images(root / f"JPEGImages/camera {scene % 2}", (scene,))
        put_xml(root / f"Annotations/camera {scene % 2}", (scene,))
    for split, scenes in SPLITS:
        lines = "".join(f"camera {scene % 2}/im{scene}\n" for scene in scenes)
        put(root / f"ImageSets/Main/{split}.txt", lines)


@form("odd: VOC, cameras in folders without lists", **DIVIDED, findings={"image-by-name": 6})
def voc_folders(root: Path) -> None:
    for scene in ALL:
        put_images(root / f"photos/camera {scene % 2}", (scene,))
        put_xml(root / f"boxes/camera {scene % 2}", (scene,), file_name="renamed.jpg")


@form("odd: COCO, names from the top")
def from_the_top(root: Path) -> None:
    for split, scenes in SPLITS:
        put_images(root / "data" / split, scenes)
        put_json(root / f"annotations/{split}.json", document(scenes, f"data/{split}/im{{}}.jpg"))


@form("odd: PNG files called JPEG")
def png(root: Path) -> None:
    for split, scenes in SPLITS:
        for scene in scenes:
            put(root / f"images/im{scene}.jpg", encoded(scene, ".png"))
        put_json(root / f"annotations/{split}.json", document(scenes))


@form("odd: links to images elsewhere")
def links(root: Path) -> None:
    put_images(root / "store")
    for split, scenes in SPLITS:
        put_labels(root / "labels" / split, scenes)
        (root / "images" / split).mkdir(parents=True)
        for scene in scenes:
            (root / f"images/{split}/im{scene}.jpg").symlink_to(root / f"store/im{scene}.jpg")
    put(root / "data.yaml", YAML)


@form("odd: signs in names", **DIVIDED)
def signs(root: Path) -> None:
    put_images(root / "images", ALL, "a, b (1)'{} #.jpg")
    rows = table(ALL, TENSORFLOW, tensorflow, '"a, b (1)\'{} #.jpg"')
    put(root / "annotations.csv", rows)


@form("odd: an older copy in a folder")
def older_copy(root: Path) -> None:
    for top in ("", "backup/"):
        for split, scenes in SPLITS:
            put_images(root / f"{top}images", scenes)
            put_json(root / f"{top}annotations/{split}.json", document(scenes))


@form("odd: data.yaml in a folder of its own")
def yaml_apart(root: Path) -> None:
    for split, scenes in SPLITS:
        put_images(root / "images" / split, scenes)
        put_labels(root / "labels" / split, scenes)
    put(root / "configs/mine.yaml", "path: ..\n" + YAML)


@form("odd: singular folders", **DIVIDED)
def singular(root: Path) -> None:
    put_images(root / "Image")
    put_xml(root / "Annotation")


@form("odd: endings in capitals", **DIVIDED)
def capital_endings(root: Path) -> None:
    put_images(root / "PHOTOS", ALL, "IM{}.JPG")
    put_json(root / "BOXES.JSON", document(file_name="IM{}.JPG"))


@form("odd: labelme's files and the COCO file made of them", **DIVIDED)
def both(root: Path) -> None:
    put_images(root)
    put_json(root / "annotations.json", document())
    for scene in ALL:
        put_json(root / f"im{scene}.json", annotation(scene))


@form("odd: the same names in both splits")
def same_names(root: Path) -> None:
    for split, scenes in SPLITS:
        content = document(scenes)
        for number, scene in enumerate(scenes):
            put_images(root / split, (scene,), f"{number}.jpg")
            content["images"][number]["file_name"] = f"{number}.jpg"
        put_json(root / split / "boxes.json", content)


@form("odd: letters and blanks in the folder's name", data="Größe 1/mein Satz")
def letters(root: Path) -> None:
    for split, scenes in SPLITS:
        put_images(root / "Größe 1/mein Satz/images" / split, scenes)
        put_labels(root / "Größe 1/mein Satz/labels" / split, scenes)
    put(root / "Größe 1/mein Satz/data.yaml", YAML)


@form("odd: labelme's files renamed without their images", **DIVIDED)
def renamed(root: Path) -> None:
    put_images(root)
    for scene in ALL:
        put_json(root / f"labels of {scene}.json", annotation(scene))


@form("odd: classes by name in COCO", findings={})
def by_class_name(root: Path) -> None:
    for split, scenes in SPLITS:
        content = document(scenes, categories=[{"id": n, "name": n} for n in ("red", "green")])
        for each in content["annotations"]:
            each["category_id"] = ("red", "green")[each["category_id"] - 1]
        put_images(root / "images", scenes)
        put_json(root / f"annotations/{split}.json", content)


@form("odd: numbers as text with a point", findings={"number-as-text": 12})
def points(root: Path) -> None:
    change = {"width": "128.0", "height": "96.0"}
    for split, scenes in SPLITS:
        put_images(root / "images", scenes)
        put_json(root / f"annotations/{split}.json", document(scenes, image=lambda d: d | change))


# other formats: refused by name
@form("odd: a test split alone", error="test")
def test_alone(root: Path) -> None:
    put_images(root / "test")
    put_json(root / "test/_annotations.coco.json", document())


@form("odd: an archive", error="unpack it", data="export.zip")
def archive(root: Path) -> None:
    put(root / "export.zip", b"PK\3\4")


@form("odd: names of classes from 1", error="names")
def from_one(root: Path) -> None:
    put_images(root / "images/train")
    put_labels(root / "labels/train")
    put(root / "data.yaml", "train: images/train\nnames: {1: red, 2: green}\n")


@form("odd: commas in YOLO's rows", error=r"im0\.txt: line 1")
def commas(root: Path) -> None:
    put_images(root / "images/train")
    put_labels(root / "labels/train", row=lambda box: row(box).replace(" ", ","))
    put(root / "data.yaml", YAML)


@form("odd: an empty folder", error="(?i)no annotations")
def empty(root: Path) -> None:
    root.mkdir(exist_ok=True)


@form("odd: images alone", error="(?i)no annotations")
def images_alone(root: Path) -> None:
    put_images(root / "images")


@form("odd: Label Studio's tasks", error=r"1 \.json.*convert_dataset\.py --from")
def tasks(root: Path) -> None:
    put_images(root / "images")
    put_json(root / "tasks.json", [{"id": 1, "annotations": [], "data": {"image": "im0.jpg"}}])


@form("odd: CVAT's XML", error=r"1 \.xml.*convert_dataset\.py --from")
def cvat_xml(root: Path) -> None:
    put_images(root / "images")
    put(root / "annotations.xml", "<annotations><version>1.1</version><meta/></annotations>")


@form("odd: VIA's table", error="via_export.csv: expected a header such as")
def via_table(root: Path) -> None:
    put_images(root / "images")
    put(
        root / "via_export.csv",
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        'region_attributes\nim0.jpg,1,"{}",1,0,"{""name"":""rect"",""x"":1}","{}"\n',
    )


@form("odd: embedded images alone", error=r"no images for train \(\.\)")
def embedded_alone(root: Path) -> None:
    for scene in ALL:
        put_json(root / f"im{scene}.json", annotation(scene))


@form("odd: a file that is no data set", error="weights.pth", data="weights.pth")
def weights(root: Path) -> None:
    put(root / "weights.pth", b"PK\3\4")


@form("odd: a folder that is not there", error="gone", data="gone")
def gone(root: Path) -> None:
    put_images(root)
