"""Data sets, transforms and augmentations, batches and their order."""

from otadet.choices import DataFormat, Difficult, OdgtBox
from otadet.data.annotation_table import AnnotationTable
from otadet.data.base import Dataset, open_sample
from otadet.data.batch_order import BatchOrder, EvalOrder, Order, Repeated, Request
from otadet.data.box_filter import BoxFilter
from otadet.data.cache import cached
from otadet.data.classes import Classes, category_ids, ids_by_name
from otadet.data.coco_write import write_coco
from otadet.data.collate import collate
from otadet.data.color import ColorJitter, HSVShift, color_jitter, hsv_shift
from otadet.data.copy_paste import CopyPaste
from otadet.data.files import FileDataset
from otadet.data.fingerprint import Fingerprint, fingerprint
from otadet.data.formats import CocoDataset, open_data
from otadet.data.image_file import IMAGE_ENDINGS, decode_image, read_image, write_image
from otadet.data.image_options import ImageOptions
from otadet.data.large_image import open_image
from otadet.data.layouts import SplitPaths, find_data
from otadet.data.loader import BatchLoader, build_loader
from otadet.data.mosaic import Mosaic
from otadet.data.records import ReadOptions
from otadet.data.repeats import RepeatedDataset
from otadet.data.rows import RowsDataset
from otadet.data.sample_builder import (
    OneImage,
    RoundRobin,
    SampleBuilder,
    SampleSchedule,
    WithTransform,
)
from otadet.data.shapes import SHAPES, ShapesDataset
from otadet.data.tiles import TiledDataset
from otadet.data.transforms import (
    Compose,
    Flip,
    Letterbox,
    RandomCrop,
    ResizeShortest,
    ScaleJitter,
    Transform,
    flip,
    letterbox,
    random_crop,
    resize,
    resize_shortest,
    scale_jitter,
)
from otadet.data.turns import RandomTurn
from otadet.data.windowed_image import (
    ArrayImage,
    WindowedImage,
    as_array,
    as_windowed,
    overview,
)

__all__ = [
    "IMAGE_ENDINGS",
    "SHAPES",
    "AnnotationTable",
    "ArrayImage",
    "BatchLoader",
    "BatchOrder",
    "BoxFilter",
    "Classes",
    "CocoDataset",
    "ColorJitter",
    "Compose",
    "CopyPaste",
    "DataFormat",
    "Dataset",
    "Difficult",
    "EvalOrder",
    "FileDataset",
    "Fingerprint",
    "Flip",
    "HSVShift",
    "ImageOptions",
    "Letterbox",
    "Mosaic",
    "OdgtBox",
    "OneImage",
    "Order",
    "RandomCrop",
    "RandomTurn",
    "ReadOptions",
    "Repeated",
    "RepeatedDataset",
    "Request",
    "ResizeShortest",
    "RoundRobin",
    "RowsDataset",
    "SampleBuilder",
    "SampleSchedule",
    "ScaleJitter",
    "ShapesDataset",
    "SplitPaths",
    "TiledDataset",
    "Transform",
    "WindowedImage",
    "WithTransform",
    "as_array",
    "as_windowed",
    "build_loader",
    "cached",
    "category_ids",
    "collate",
    "color_jitter",
    "decode_image",
    "find_data",
    "fingerprint",
    "flip",
    "hsv_shift",
    "ids_by_name",
    "letterbox",
    "open_data",
    "open_image",
    "open_sample",
    "overview",
    "random_crop",
    "read_image",
    "resize",
    "resize_shortest",
    "scale_jitter",
    "write_coco",
    "write_image",
]
