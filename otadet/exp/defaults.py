"""The settings that every experiment has, with their defaults, by component."""

from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

from otadet.choices import NmsKind
from otadet.data import SHAPES, DataFormat, Difficult, OdgtBox
from otadet.evaluation import MetricKind
from otadet.exp.conditions import Condition, unless, when
from otadet.exp.settings import Conditions, Ranges, Settings
from otadet.postprocess import PointLabels, ScoreRule
from otadet.tta import TtaKind

# Those of CrowdHuman also say that detections are not cut at the border, see whole_boxes.
_ANNOTATIONS = Condition(
    "data_dir", "another data_dir",
    lambda s: s.data_dir is not None or s.data_format == "odgt"
    or (s.train_ann or "").endswith(".odgt"),
    reader="build_train_data",
)  # fmt: skip


class DataSettings(Settings):
    """Where the data are and how they are read."""

    group = "data"
    ranges: ClassVar[Ranges] = {
        "num_classes": (1, 100_000), "cache_longest": (1, inf), "workers": (0, 1024),
        "val_fraction": (0, 0.9), "repeat_rare": (0, 1),
    }  # fmt: skip
    conditions: ClassVar[Conditions] = {
        **dict.fromkeys(
            ("train_images", "class_names", "voc_difficult", "drop_empty"),
            unless("data_dir", None, reader="build_train_data"),
        ),
        **dict.fromkeys(("data_format", "train_ann", "strict_data"), _ANNOTATIONS),
        **dict.fromkeys(
            ("val_ann", "val_images", "val_fraction"),
            unless("data_dir", None, reader="build_val_data"),
        ),
        "cache_longest": unless("cache", "none", reader="build_train_data"),
        "cache_dir": Condition(
            "cache", "cache=disk, or tile=N",
            lambda s: s.cache == "disk" or s.tile is not None,
            reader="build_train_data",
        ),
    }  # fmt: skip

    data_dir: str | None = None
    """Folder of the data set, or its annotation file; none trains on generated shapes."""
    data_format: DataFormat = "auto"
    """Format of the annotations; auto: by what is in data_dir. odgt is CrowdHuman's."""
    train_ann: str | None = None
    """Training annotations, relative to data_dir. COCO, odgt, CSV: the file. VOC: a list of
    ImageSets/Main, or the folder of XML files. YOLO: data.yaml, a list, or the folder of labels.
    labelme: the folder of JSON files. none: found by what lies in data_dir."""
    val_ann: str | None = None
    """Validation annotations, as train_ann."""
    train_images: str | None = None
    """Folder of the training images, relative to data_dir; none: found by the names that the
    annotations state."""
    val_images: str | None = None
    """Folder of the validation images, as train_images."""
    val_fraction: float = 0.2
    """Share of the images that validates where no annotations for validation are named or found,
    chosen by a hash of their names; 0 divides nothing."""
    class_names: tuple[str, ...] | None = None
    """Names and order of the classes; none: those of the annotations."""
    strict_data: bool = False
    """Refuse annotations that need a repair, such as ids written as text; false: take them with the
    meaning that the log states."""
    odgt_box: OdgtBox = "fbox"
    """Which of CrowdHuman's boxes: fbox the whole body, vbox its visible part, hbox the head."""
    voc_difficult: Difficult = "ignore"
    """VOC's difficult objects: ignore them, as its metric does, or keep them as objects."""
    amodal: bool | None = None
    """Boxes are those of whole objects and not cut at a border; none: CrowdHuman's fbox alone."""
    num_classes: int | None = None
    """Number of classes; none: as many as the annotations name. A number is checked."""
    drop_empty: bool = False
    """Leave out training images without objects."""
    repeat_rare: float = 0.0
    """Repeat training images of classes that are in less than this share of the images, by the root
    of how much rarer they are (Gupta et al. 2019: 0.001); 0 repeats none."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What to do at an image that cannot be read."""
    check_data: bool = True
    """Check the annotations before training, as tools/doctor.py --quick does."""
    cache: Literal["none", "memory", "disk"] = "none"
    """Keep decoded training images: in memory that all workers share, or in a file."""
    cache_longest: int | None = None
    """Shrink kept images to this longer side, pixels; none keeps them as they are."""
    cache_dir: str = "runs/cache"
    """Folder of the file of cache=disk, and of decoded large images that are cut into tiles."""
    workers: int = 4
    """Processes that load images, for each device."""


class ImageSettings(Settings):
    """What is read of the image files, in training, evaluation, demo and otadet.load alike."""

    group = "image files"
    ranges: ClassVar[Ranges] = {
        **dict.fromkeys(("image_pages", "image_channels"), (0, 65_535)), "image_stretch": (0, 100),
    }  # fmt: skip
    spans: ClassVar[tuple[str, ...]] = ("image_stretch",)

    image_pages: tuple[int, ...] = (0,)
    """Page of a TIFF file, from 0; of several the channels are put behind each other."""
    image_channels: tuple[int, ...] | None = None
    """The channel, or the three that become red, green and blue, from 0; none: a file has one or
    three, besides alpha."""
    image_stretch: tuple[float, float] | None = None
    """Percentiles of a channel's values that become black and white, such as 0.5,99.5; none: bytes
    as they are, of 16 bits the upper 8 in use."""


class ShapesSettings(Settings):
    """Generated images, where no data set is given."""

    group = "generated shapes, without data_dir"
    ranges: ClassVar[Ranges] = dict.fromkeys(("shapes_train", "shapes_val"), (1, 10_000_000)) | {
        "shapes_size": (1, inf),
        "shapes_crowding": (0, 1),
    }
    spans: ClassVar[tuple[str, ...]] = ("shapes_object",)
    conditions: ClassVar[Conditions] = {
        "shapes_train": when("data_dir", None, reader="build_train_data"),
        "shapes_val": when("data_dir", None, reader="build_val_data"),
        **dict.fromkeys(
            ("shapes_size", "shapes_classes", "shapes_object", "shapes_crowding"),
            when("data_dir", None, reader="_shapes"),
        ),
    }

    shapes_train: int = 2000
    """Number of training images."""
    shapes_val: int = 100
    """Number of validation images."""
    shapes_size: tuple[int, int] = (256, 256)
    """Height and width of the images, pixels."""
    shapes_classes: tuple[str, ...] = SHAPES
    """Shapes that are drawn; each is a class."""
    shapes_object: tuple[float, float] = (24.0, 96.0)
    """Smallest and largest width of an object, pixels."""
    shapes_crowding: float = 0.5
    """0: objects apart; 1: heavily overlapping."""


class InputSettings(Settings):
    """From an image to the network's input."""

    group = "input"
    ranges: ClassVar[Ranges] = {
        **dict.fromkeys(("input_size", "test_size", "multiscale_interval"), (1, inf)),
        "multiscale": (32, 16_384),
        **dict.fromkeys(("flip", "flip_vertical", "quarter_turns"), (0, 1)),
    }
    spans: ClassVar[tuple[str, ...]] = ("multiscale",)
    conditions: ClassVar[Conditions] = {
        "multiscale": when("resize", "letterbox", reader="build_size_rule"),
        "multiscale_interval": unless("multiscale", None, reader="build_size_rule"),
    }
    in_phases: ClassVar[tuple[str, ...]] = (
        "input_size",
        "multiscale",
        "multiscale_interval",
        "flip",
        "flip_vertical",
        "quarter_turns",
        "color_jitter",
    )

    resize: Literal["shortest", "letterbox"] = "letterbox"
    """letterbox: fit into the size and pad. shortest: the shorter side becomes the first number of
    the size, the longer at most the second."""
    input_size: tuple[int, int] = (256, 256)
    """Height and width in training (letterbox), or shorter side and limit of the longer one."""
    test_size: tuple[int, int] = (256, 256)
    """The same in evaluation, demo and export."""
    multiscale: tuple[int, int] | None = None
    """Smallest and largest height in training, drawn anew every multiscale_interval steps; the
    width follows input_size (letterbox only)."""
    multiscale_interval: int = 10
    """Steps between draws of multiscale."""
    flip: float = 0.5
    """Probability of a mirror image."""
    flip_vertical: float = 0.0
    """Probability of a mirror image top to bottom, for images from above."""
    quarter_turns: float = 0.0
    """Probability of a turn by 90, 180 or 270 degrees, for images from above."""
    color_jitter: bool = False
    """Random hue, saturation and brightness in training."""


class TrainingSettings(Settings):
    """The recipe: batch, optimizer, learning rate."""

    group = "training"
    ranges: ClassVar[Ranges] = {
        **dict.fromkeys(
            ("batch_size", "max_epochs", "max_iters", "lr_batch", "accumulate", "save_interval"),
            (1, inf),
        ),
        "minutes": (0.01, 1e6), "threads": (1, 1024),
        **dict.fromkeys(
            ("lr", "weight_decay", "warmup_iters", "warmup_power", "clip_grad", "seed",
             "skip_nonfinite"),
            (0, inf),
        ),
        **dict.fromkeys(("milestones", "momentum", "ema_decay", "final_lr", "flat"), (0, 1)),
    }  # fmt: skip
    conditions: ClassVar[Conditions] = {
        "max_epochs": when("max_iters", None, also=when("minutes", None)),
        "max_iters": when("minutes", None),
        "eval_interval": when("minutes", None),
        "momentum": when("optimizer", "sgd", reader="build_optimizer"),
        "nesterov": when("optimizer", "sgd", reader="build_optimizer"),
        "milestones": when("schedule", "multistep", reader="build_schedule"),
        **dict.fromkeys(("final_lr", "flat"), when("schedule", "cosine", reader="build_schedule")),
        "warmup_power": unless("warmup_iters", 0, reader="build_schedule"),
    }

    batch_size: int = 16
    """Images a step over all devices; -b replaces it."""
    accumulate: int = 1
    """Parts in which a batch goes through the network one after the other, to save memory."""
    max_epochs: int = 12
    """Passes over the training set."""
    max_iters: int | None = None
    """Number of steps, in place of max_epochs."""
    minutes: float | None = None
    """Length of the run with start, evaluations and report, in place of max_epochs: the number of
    steps is planned once they are timed. --minutes replaces it."""
    freeze: tuple[str, ...] = ()
    """Names of parts that do not learn, such as backbone,neck.reduce5; --list-layers names all."""
    lr: float = 0.01
    """Learning rate for lr_batch images a step; scaled in proportion to the batch in use."""
    lr_batch: int = 16
    """Images a step that lr is meant for."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """torch's SGD or AdamW."""
    momentum: float = 0.9
    """Of SGD."""
    nesterov: bool = False
    """Nesterov's form of SGD's momentum."""
    weight_decay: float = 1e-4
    """Of weights; norms, biases and scales do not decay."""
    schedule: Literal["multistep", "cosine"] = "multistep"
    """Learning rate after the warm-up: divided by 10 at milestones, or a cosine."""
    milestones: tuple[float, ...] = (2 / 3, 8 / 9)
    """Shares of the run after which the learning rate is divided by 10 (multistep)."""
    warmup_iters: int = 1000
    """Steps of the warm-up, at most a tenth of the run."""
    warmup_power: float = 1.0
    """1: the learning rate rises in a line; 2: as a parabola."""
    final_lr: float = 0.0
    """Share of lr at the end of a cosine."""
    flat: float = 0.0
    """Share of the run before a cosine begins to fall."""
    cpu_layout: Literal["channels_last", "contiguous"] = "contiguous"
    """Memory layout of images and weights in training on a CPU; FCOS takes 1 to 10 % less time
    contiguous."""
    clip_grad: float = 0.0
    """Largest norm of the gradient; 0 does not clip."""
    ema_decay: float = 0.9998
    """Decay of the averaged weights; 0 turns them off."""
    sync_norm: bool = False
    """BatchNorm over the images of all GPUs instead of each one's own."""
    skip_nonfinite: int = 0
    """Steps in a row that may be skipped because a number is not finite; 0 stops at the first."""
    threads: int | None = None
    """Threads with which a process computes on a CPU; none: as many as torch takes."""
    save_interval: int | None = None
    """Steps between checkpoints, besides the one after each epoch."""
    seed: int = 0
    """Of everything that is drawn at random."""


class EvaluationSettings(Settings):
    """Detections and their metrics."""

    group = "detection and evaluation"
    ranges: ClassVar[Ranges] = {
        **dict.fromkeys(("eval_interval", "patience"), (1, inf)),
        "max_detections": (1, 1_000_000),
        **dict.fromkeys(("score_threshold", "nms_threshold"), (0, 1)),
        "soft_sigma": (1e-3, inf),
    }
    conditions: ClassVar[Conditions] = {
        "soft_sigma": when("nms_kind", "gaussian", reader="build_postprocess")
    }
    in_phases: ClassVar[tuple[str, ...]] = ("eval_interval",)

    eval_interval: int = 1
    """Epochs between evaluations; there is one at the end in any case."""
    metrics: tuple[MetricKind, ...] = ("coco",)
    """What is computed; see docs/evaluation.md."""
    best_metric: str = "AP"
    """Which metric makes a checkpoint the best: the largest, of MR the smallest."""
    patience: int | None = None
    """Stop after so many evaluations without a better one."""
    val_loss: bool = True
    """Also the loss on the validation set, from the same forward pass; it costs an assignment."""
    score_threshold: float = 0.05
    """Detections with a lower score are left out."""
    nms_threshold: float = 0.6
    """IoU with a better box of the class beyond which NMS acts."""
    max_detections: int = 100
    """Most detections of an image."""
    score_rule: ScoreRule = "geometric"
    """Score from class and quality probability: geometric mean, or product."""
    nms_kind: NmsKind = "hard"
    """hard drops a box that a better one overlaps; linear and gaussian lower its score."""
    soft_sigma: float = 0.5
    """Width of gaussian soft-NMS; larger lowers less."""
    point_labels: PointLabels = "all"
    """all: every class of a point above score_threshold goes into NMS; best: only its best."""


_OF_TILES = ("tile_overlap", "tile_empty")


class TileSettings(Settings):
    """Large images, piece by piece."""

    group = "tiles"
    ranges: ClassVar[Ranges] = {"tile": (32, inf), **dict.fromkeys(_OF_TILES, (0, inf))}
    conditions: ClassVar[Conditions] = dict.fromkeys(
        (*_OF_TILES, "tile_whole"), unless("tile", None, reader="build_tiling")
    )

    tile: int | Literal["auto"] | None = None
    """Side of the tiles that images are cut into in training, evaluation and demo, in their own
    pixels. A tile is resized as an image is; the side of test_size keeps the full resolution. auto:
    by the sizes of the training set's objects; the checkpoint holds the number."""
    tile_overlap: int | Literal["auto"] | None = None
    """Pixels that neighbouring tiles share, at least the size of most objects; auto: 95 % of the
    training set's objects are no larger; none: auto with tile=auto, else a fifth."""
    tile_whole: bool = True
    """Also one pass over the whole image resized, for objects larger than tile_overlap."""
    tile_empty: float = 0.1
    """Of training: tiles without objects, as a share of those with some."""


class TtaSettings(Settings):
    """Several passes over an image."""

    group = "test-time augmentation"
    ranges: ClassVar[Ranges] = {"tta_detections": (1, 1_000_000), "tta_vote": (0, 1)}
    conditions: ClassVar[Conditions] = {
        **dict.fromkeys(
            ("tta_scales", "tta_flip"), when("tta", "atss", reader="build_augmentation")
        ),
        **dict.fromkeys(
            ("tta_vote", "tta_detections"), unless("tta", "none", reader="build_augmentation")
        ),
    }

    tta: TtaKind = "none"
    """Passes over an image in tools/eval.py, demo and API: flip adds the mirror image, atss takes
    13 scales and their mirror images. Evaluations during training and exported files take one."""
    tta_scales: tuple[str, ...] = ()
    """Scales of atss: 400,500,800 takes these alone; 500/1000:64-256 is one of your own, with the
    range of sqrt(box area) in the image's pixels. For an 800 px network; others in proportion."""
    tta_flip: bool = True
    """Of atss: each scale's mirror image too."""
    tta_vote: float = 0.65
    """IoU from which the boxes of several passes are merged."""
    tta_detections: int = 300
    """Most detections of an image, of each pass and of all together."""
