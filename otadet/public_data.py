"""Public data sets: addresses, digests, and where their files go. Facts, nothing is fetched here.

The MD5 sums of COCO's files are those that many projects check; COCO itself publishes none. VOC's
are those of torchvision, sizes what the servers state.
"""

from __future__ import annotations

from dataclasses import dataclass

_COCO = "http://images.cocodataset.org"
_VOC = "https://thor.robots.ox.ac.uk/pascal/VOC"


@dataclass(frozen=True)
class Archive:
    """One file to fetch and unpack.

    Attributes:
        url: its address; empty where it has to be fetched by hand.
        name: of the file.
        md5: its digest, where known.
        size: bytes, where known.
        below: its own folder that becomes the data set's.
    """

    url: str
    name: str
    md5: str | None = None
    size: int | None = None
    below: str = ""


@dataclass(frozen=True)
class Source:
    """A data set.

    Attributes:
        folder: name of its folder in ``datasets/``.
        archives: what it is made of.
        files: other files that have to lie in the folder, fetched by hand.
        terms: under what terms it may be used, and where they stand.
        settings: the settings to train with.
    """

    folder: str
    archives: tuple[Archive, ...]
    terms: str
    settings: str
    files: tuple[str, ...] = ()


_COCO_ANNOTATIONS = Archive(
    f"{_COCO}/annotations/annotations_trainval2017.zip", "annotations_trainval2017.zip",
    "f4bbac642086de4f52a3fdda2de5fa2c", 252_907_541,
)  # fmt: skip
_COCO_VAL = Archive(
    f"{_COCO}/zips/val2017.zip", "val2017.zip", "442b8da7639aecaf257c1dceb8ba8c80", 815_585_330
)
_COCO_TRAIN = Archive(
    f"{_COCO}/zips/train2017.zip", "train2017.zip", "cced6f7f71b7629ddf16f17bbcfab6b2",
    19_336_861_798,
)  # fmt: skip
_CROWDHUMAN = ("train01", "train02", "train03", "val")
_COCO_TERMS = "annotations CC BY 4.0, images under Flickr's terms: https://cocodataset.org"
_VOC_TERMS = "images under Flickr's terms: http://host.robots.ox.ac.uk/pascal/VOC/"


def _voc(year: int, name: str, md5: str) -> Archive:
    return Archive(f"{_VOC}/voc{year}/{name}", name, md5, below=f"VOCdevkit/VOC{year}")


SOURCES = {
    "coco2017": Source(
        "COCO", (_COCO_ANNOTATIONS, _COCO_VAL, _COCO_TRAIN), _COCO_TERMS, "data_dir=datasets/COCO"
    ),
    "coco2017-val": Source(
        "COCO", (_COCO_ANNOTATIONS, _COCO_VAL), _COCO_TERMS, "data_dir=datasets/COCO"
    ),
    "voc2007": Source(
        "VOC2007",
        (
            _voc(2007, "VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64"),
            _voc(2007, "VOCtest_06-Nov-2007.tar", "b6e924de25625d8de591ea690078ad9f"),
        ),
        _VOC_TERMS,
        "data_dir=datasets/VOC2007 train_ann=ImageSets/Main/trainval.txt "
        "val_ann=ImageSets/Main/test.txt",
    ),
    "voc2012": Source(
        "VOC2012",
        (_voc(2012, "VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd"),),
        _VOC_TERMS,
        "data_dir=datasets/VOC2012",
    ),
    "crowdhuman": Source(
        "CrowdHuman",
        tuple(Archive("", f"CrowdHuman_{part}.zip") for part in _CROWDHUMAN),
        "research and teaching without profit alone: https://www.crowdhuman.org/download.html",
        "data_dir=datasets/CrowdHuman",
        files=("annotation_train.odgt", "annotation_val.odgt"),
    ),
}  # fmt: skip
"""By the name that ``tools/get_data.py`` takes."""
