"""Every setting that all experiments share, with its default: one commented list."""

from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

from otadet.choices import NmsKind
from otadet.data import SHAPES, DataFormat, Difficult, OdgtBox
from otadet.evaluation import MetricKind
from otadet.exp.methods import MethodName
from otadet.exp.settings import Settings
from otadet.models import Quality
from otadet.postprocess import PointLabels, ScoreRule
from otadet.tta import TtaKind


class Defaults(Settings):
    """An FCOS with OTA on generated shapes."""

    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        **dict.fromkeys(
            ("num_classes", "shapes_train", "shapes_val", "shapes_size", "input_size", "test_size",
             "fpn_channels", "head_width", "batch_size", "max_epochs", "max_iters", "lr_batch",
             "eval_interval", "max_detections", "accumulate", "save_interval", "patience",
             "multiscale_interval", "cache_longest", "tta_detections"),
            (1, inf),
        ),
        **dict.fromkeys(
            ("workers", "head_convs", "lr", "weight_decay", "warmup_iters", "warmup_power",
             "clip_grad", "seed", "skip_nonfinite"),
            (0, inf),
        ),
        **dict.fromkeys(
            ("flip", "crop", "shapes_crowding", "milestones", "momentum", "ema_decay",
             "final_lr", "score_threshold", "nms_threshold", "tta_vote"),
            (0, 1),
        ),
        "scale_range": (0.05, 20),
        "soft_sigma": (1e-3, inf),
        "multiscale": (32, inf),
        "deform_stages": (0, 4),
        "anchor_scale": (0.1, 100),
    }  # fmt: skip
    spans: ClassVar[tuple[str, ...]] = ("shapes_object", "multiscale", "scale_range")
    sizes: ClassVar[tuple[str, ...]] = ("input_size", "test_size", "shapes_size")
    own_data: ClassVar[bool] = False
    """The experiment is for images of one's own: without data_dir it refuses to start."""

    # --- data -----------------------------------------------------------------------------------
    data_dir: str | None = None
    """Folder of the data set; none trains on generated shapes."""
    data_format: DataFormat = "auto"
    """Of the annotations: coco, odgt (CrowdHuman), voc, yolo; auto: by what is in data_dir."""
    train_ann: str | None = None
    """Annotations, relative to data_dir: a COCO or odgt file; VOC: a list of ImageSets/Main or the
    folder of XML; YOLO: data.yaml, a list, or the folder of labels; none: the format's custom."""
    val_ann: str | None = None
    train_images: str | None = None
    """Folder of the pictures, relative to data_dir; none: the format's custom, such as train2017,
    Images, JPEGImages, images/train."""
    val_images: str | None = None
    class_names: tuple[str, ...] | None = None
    """Names and order of the classes; none: those of the annotations."""
    odgt_box: OdgtBox = "fbox"
    """Of CrowdHuman's boxes: fbox the whole body, vbox what is seen of it, hbox the head."""
    voc_difficult: Difficult = "ignore"
    """VOC's difficult objects: ignore them, as its metric does, or keep them as objects."""
    amodal: bool | None = None
    """Boxes are those of whole objects, cut at no border; none: only CrowdHuman's fbox."""
    num_classes: int | None = None
    """none: as many as the annotation file names; a number is checked against it."""
    drop_empty: bool = False
    """Leave out training pictures without objects."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What a picture that cannot be read does to a run."""
    check_data: bool = True
    """Look over the annotations before training, as tools/doctor.py --quick does."""
    cache: Literal["none", "memory", "disk"] = "none"
    """Keep decoded training pictures: in memory that all loader processes share, or in a file."""
    cache_longest: int | None = None
    """Shrink kept pictures to this longer side, pixels; none keeps them as they are."""
    cache_dir: str = "runs/cache"
    """Where the file of cache=disk goes."""
    workers: int = 4
    """Processes that load pictures, for each device."""
    shapes_train: int = 2000
    """Number of generated training pictures, without data_dir."""
    shapes_val: int = 100
    shapes_size: tuple[int, int] = (256, 256)
    shapes_classes: tuple[str, ...] = SHAPES
    shapes_object: tuple[float, float] = (24.0, 96.0)
    """Smallest and largest width of an object, pixels."""
    shapes_crowding: float = 0.5
    """0: objects apart; 1: heavily overlapping."""

    # --- input ----------------------------------------------------------------------------------
    resize: Literal["shortest", "letterbox"] = "letterbox"
    """shortest: shorter side to the first number of the size, the longer to at most the second."""
    input_size: tuple[int, int] = (256, 256)
    """Height and width in training (letterbox), or short side and limit of the longer one."""
    test_size: tuple[int, int] = (256, 256)
    """The same for evaluation, demo and export."""
    multiscale: tuple[int, int] | None = None
    """Smallest and largest height in training, drawn anew every multiscale_interval steps; the
    width follows input_size (letterbox only)."""
    multiscale_interval: int = 10
    flip: float = 0.5
    """Probability of a mirror image."""
    scale_range: tuple[float, float] = (1.0, 1.0)
    """Random factor on the shorter side in training (shortest only)."""
    crop: float = 0.0
    """Probability of a random crop in training."""
    color_jitter: bool = False
    """Random hue, saturation and brightness in training."""
    aspect_grouping: bool = True
    """Do not mix upright and lying pictures in a batch (shortest only)."""

    # --- network --------------------------------------------------------------------------------
    backbone: str = "resnet18"
    """One of torchvision's ResNets and ResNeXts, or timm/NAME where timm is installed."""
    backbone_weights: str | None = None
    """A torchvision weights name, a file, or none; for timm/NAME a file or pretrained."""
    frozen_norm: bool = False
    """Fixed BatchNorm in the backbone; for pretrained weights and few pictures a device."""
    frozen_stages: int = 0
    """Parts of the backbone that do not learn: 1 stem, 2 and the first stage, ... 5 all."""
    deform_stages: int = 0
    """In how many of a ResNet's last stages the 3x3 convolutions are deformable (DCNv2)."""
    freeze: tuple[str, ...] = ()
    """Names of parts that do not learn, such as backbone,neck.reduce5; --list-layers names all."""
    fpn_channels: int = 256
    extra_levels: bool = True
    """P6 and P7 besides P3 to P5."""
    host: Literal["fcos", "retinanet"] = "fcos"
    """What a point regresses from: itself, or one square anchor around it."""
    anchor_scale: float = 8.0
    """Side of that anchor, and of the anchors that ATSS, PAA and the like compare, strides."""
    head_width: int = 256
    head_convs: int = 4
    tower_bias: bool = False
    """A bias in the towers' convolutions, as torchvision's FCOS has it."""
    corners: bool = False
    """Points in the upper left corner of their cells, as torchvision has them."""
    deform_head: bool = False
    """The last convolution of each tower is deformable."""
    quality: Quality = "iou"
    method: MethodName | None = None
    """A method of label assignment with its loss, in place of the experiment's own assigner."""

    # --- recipe ---------------------------------------------------------------------------------
    batch_size: int = 16
    """Over all devices; -b replaces it."""
    accumulate: int = 1
    """Parts in which a batch goes through the network one after the other, to save memory."""
    max_epochs: int = 12
    max_iters: int | None = None
    """Number of steps, in place of max_epochs."""
    lr: float = 0.01
    """For lr_batch pictures a step; scaled in proportion to the batch that is used."""
    lr_batch: int = 16
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    schedule: Literal["multistep", "cosine"] = "multistep"
    milestones: tuple[float, ...] = (2 / 3, 8 / 9)
    """Shares of the run after which the rate is divided by 10 (multistep)."""
    warmup_iters: int = 1000
    """At most a tenth of the run."""
    warmup_power: float = 1.0
    """1: the rate rises in a line; 2: as a parabola."""
    final_lr: float = 0.0
    """Share of lr at the end of a cosine."""
    cpu_layout: Literal["channels_last", "contiguous"] = "contiguous"
    """Of pictures and weights in training on a processor; FCOS takes 1 to 10 % less time so."""
    clip_grad: float = 0.0
    """Largest norm of the gradient; 0 leaves it alone."""
    ema_decay: float = 0.9998
    """0 turns the averaged weights off."""
    sync_norm: bool = False
    """BatchNorm over the pictures of all GPUs instead of each one's own."""
    skip_nonfinite: int = 0
    """Steps in a row that may be left out because a number is not finite; 0 stops at the first."""
    save_interval: int | None = None
    """Steps between checkpoints, besides the one after each epoch."""
    seed: int = 0

    # --- evaluation -----------------------------------------------------------------------------
    eval_interval: int = 1
    """Epochs between evaluations; there is one at the end in any case."""
    metrics: tuple[MetricKind, ...] = ("coco",)
    """What is computed, several with commas; see docs/evaluation.md."""
    best_metric: str = "AP"
    """Which metric makes a checkpoint the best: the largest, of MR the smallest."""
    patience: int | None = None
    """Stop after so many evaluations without a better one."""
    val_loss: bool = True
    """Also the loss on the validation set, from the same forward pass; it costs an assignment."""
    score_threshold: float = 0.05
    nms_threshold: float = 0.6
    max_detections: int = 100
    score_rule: ScoreRule = "geometric"
    nms_kind: NmsKind = "hard"
    """hard drops a box that a better one overlaps; linear and gaussian lower its score."""
    soft_sigma: float = 0.5
    """Width of gaussian soft-NMS; larger lowers less."""
    point_labels: PointLabels = "all"
    """all: every class of a point above score_threshold goes into NMS; best: only its best."""
    tta: TtaKind = "none"
    """Several passes over a picture in tools/eval.py, demo and API: flip, or atss, 13 scales and
    their mirror images. Evaluations during training and exported files take one."""
    tta_scales: tuple[str, ...] = ()
    """Of atss: 400,500,800 takes these alone; 500/1000:64-256 is one of your own, with the range of
    sqrt(box area) in the picture's pixels. For an 800 px network; others in proportion."""
    tta_flip: bool = True
    """Of atss: each scale's mirror image too."""
    tta_vote: float = 0.65
    """IoU from which the boxes of several passes are made one."""
    tta_detections: int = 300
    """Detections of a picture that are kept of each pass and of all together."""
