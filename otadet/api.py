"""Detection from Python; :mod:`otadet` itself exports these names.

For example::

    detector = otadet.load("best.pth")
    for result in detector.predict("photos/"):
        print(result.names, result.boxes, result.scores)

Boxes are xyxy in the pixels of the image.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from otadet.data import ArrayImage, WindowedImage, overview
from otadet.data.exif import ORIENTATION, oriented
from otadet.engine.devices import parse_devices
from otadet.engine.hints import Hints
from otadet.engine.precision import Precision, PrecisionName
from otadet.engine.predictor import Predictor, group_images
from otadet.engine.weights import open_weights
from otadet.errors import DetectionWarning, InputError
from otadet.exp import load_class, load_named
from otadet.media import find_images
from otadet.types import Detections
from otadet.visualize import Labels, draw_boxes

Image: TypeAlias = npt.NDArray[np.uint8]
"""``[H, W, 3]`` uint8 RGB."""

Source: TypeAlias = "Image | str | Path"
"""An image, also one of Pillow, or a file, folder, pattern (``a/*.jpg``) or http(s) address."""


@dataclass(frozen=True, eq=False)
class Result:
    """Detections of one image.

    Attributes:
        image: ``[H, W, 3]`` uint8 RGB, as it was looked at: upright. Of an image that memory does
            not hold, a copy that is ``shrunk`` times smaller.
        detections: boxes in pixels of the file or array, on the CPU, by falling score.
        class_names: by class index.
        source: path or address of the image; ``None`` for one that was given as an array.
        shrunk: how many times ``image`` is smaller than the file, whose boxes are not.
    """

    image: Image
    detections: Detections
    class_names: tuple[str, ...]
    source: str | None = None
    shrunk: int = 1

    def __len__(self) -> int:
        return len(self.detections)

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        counts = ", ".join(f"{n} {name}" for name, n in Counter(self.names).most_common())
        where = f", source={self.source!r}" if self.source else ""
        shrunk = f", shrunk {self.shrunk} times" if self.shrunk > 1 else ""
        return f"Result({counts or 'nothing'}, {width} x {height} px{shrunk}{where})"

    @property
    def boxes(self) -> Tensor:
        """``[N, 4]`` float32 xyxy, pixels of the image."""
        return self.detections.boxes

    @property
    def scores(self) -> Tensor:
        """``[N]`` float32 in [0, 1], falling."""
        return self.detections.scores

    @property
    def labels(self) -> Tensor:
        """``[N]`` int64 class indices."""
        return self.detections.labels

    @property
    def names(self) -> list[str]:
        """Class name of each detection."""
        return [self.class_names[index] for index in self.labels.tolist()]

    def above(self, score: float) -> Result:
        """Keep the detections of at least this score."""
        return replace(self, detections=self.detections.above(score))

    def plot(self, labels: Labels = "auto", line_width: int | None = None) -> Image:
        """Draw boxes, names and scores on a copy of the image.

        Args:
            labels: ``off`` draws boxes alone; ``auto`` names where there is room for them.
            line_width: pixels; ``None`` fits the image and the objects.
        """
        return draw_boxes(
            self.image, self.boxes / self.shrunk, self.labels, self.class_names, self.scores,
            labels, line_width,
        )  # fmt: skip

    def to_supervision(self) -> Any:
        """Convert to ``supervision.Detections``, class names in ``data["class_name"]``.

        Raises:
            InputError: the package ``supervision`` is not installed.
        """
        try:
            import supervision
        except ImportError:
            raise InputError("supervision is not installed; pip install supervision") from None
        return supervision.Detections(
            xyxy=self.boxes.numpy().copy(),
            confidence=self.scores.numpy().copy(),
            class_id=self.labels.numpy().copy(),
            data={"class_name": np.array(self.names, dtype=str)},
        )


def from_supervision(detections: Any) -> Detections:
    """Convert detections of the package ``supervision``, sorted by falling score.

    Args:
        detections: a ``supervision.Detections`` with ``class_id``; without ``confidence`` every
            score is 1.

    Raises:
        InputError: ``class_id`` is missing.
    """
    if detections.class_id is None:
        raise InputError("supervision.Detections: expected class_id, got none")
    count = len(detections.xyxy)
    given = detections.confidence
    scores = torch.ones(count) if given is None else torch.as_tensor(np.asarray(given)).float()
    order = scores.argsort(descending=True, stable=True)
    boxes = torch.as_tensor(np.asarray(detections.xyxy)).float().reshape(-1, 4)
    labels = torch.as_tensor(np.asarray(detections.class_id)).long()
    return Detections(boxes[order], scores[order], labels[order])


@dataclass(frozen=True, eq=False)
class ObjectDetector:
    """A trained detector; :func:`load` creates it.

    Attributes:
        predictor: network and settings.
        score: detections below it are dropped.
        batch_size: images in one forward pass.
    """

    predictor: Predictor
    score: float
    batch_size: int

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names by class index."""
        return self.predictor.class_names

    def predict(self, source: Source | Sequence[Source]) -> list[Result]:
        """Detect objects in images, in their order.

        Args:
            source: an image as an array ``[H, W, 3]`` uint8 RGB, or a file, folder, pattern or
                address; or a list of them. Files and images of Pillow are turned and mirrored
                as their EXIF says, so that both give the same boxes; an array is taken as it is.

        Raises:
            InputError: no such file, no image, or an array of another shape or dtype.
        """
        return list(self.stream(source))

    def __call__(self, image: Source) -> Result:
        """Detect objects in one image.

        Raises:
            InputError: as :meth:`predict`; or ``image`` names several images.
        """
        results = self.predict(image)
        if len(results) != 1:
            raise InputError(f"{image}: expected one image, got {len(results)}; use predict()")
        return results[0]

    def stream(self, source: Source | Iterable[Source]) -> Iterator[Result]:
        """Yield the results of :meth:`predict` one by one, with only a batch in memory."""
        sources: Iterable[Source]
        if isinstance(source, (str, Path)) or _is_array(source):
            sources = [source]
        elif isinstance(source, Iterable):
            sources = source
        else:
            raise InputError(_unfit(source))
        images = chain.from_iterable(self._opened(each) for each in sources)
        hints = Hints(self.predictor.exp, lambda line: warnings.warn(line, DetectionWarning, 3))
        for group in group_images(images, self.batch_size):
            found = self.predictor.batch([image for _, image in group])
            for (name, image), detections in zip(group, found):
                shown = detections.above(self.score)
                hints.look(name or "image", image.size, shown)
                pixels, factor = overview(image)
                yield Result(pixels, shown, self.class_names, name, factor)

    def _opened(self, source: Source) -> Iterator[tuple[str | None, WindowedImage]]:
        if isinstance(source, (str, Path)):
            exp = self.predictor.exp
            for image in find_images(str(source), "images"):
                yield image.where, image.open(exp.build_image_options(), exp.tile is not None)
        else:
            yield None, ArrayImage(_array(source))


def load(
    weights: str | Path,
    *,
    device: str | None = None,
    precision: PrecisionName = "fp32",
    score: float | None = None,
    batch_size: int = 8,
    fused: bool = True,
    exp_file: str | Path | None = None,
    **settings: Any,
) -> ObjectDetector:
    """Load a detector from trained weights.

    Args:
        weights: a checkpoint of otadet, such as ``best.pth``; official YOLOX weights or those of
            torchvision's FCOS; or the name of published weights: ``ota_nano_cells``, which comes
            with the package, or as ``yolox_s``, which are fetched.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; ``None`` takes a GPU where there is one.
        precision: ``fp32``, ``bf16``, or on a GPU ``fp16``.
        score: detections below it are dropped; ``None`` takes the checkpoint's score of the
            largest F1 on its validation set, 0.3 where it holds none.
        batch_size: images in one forward pass.
        fused: fold BatchNorm into the convolutions: faster, equal up to rounding.
        exp_file: the experiment's file, where its name alone does not find it.
        settings: any setting of the experiment in place of the checkpoint's, such as
            ``test_size=(640, 640)``, ``nms_threshold=0.5`` or ``nms_kind="gaussian"``.

    Raises:
        InputError: the file is missing or of another kind, the device is not there, or a setting
            is unknown or of another type.
    """
    checkpoint = open_weights(weights, load_class(str(exp_file)) if exp_file else None)
    where = _device(device)
    if precision not in ("fp32", "fp16", "bf16"):
        raise InputError(f"precision: expected fp32, fp16 or bf16, got {precision!r}")
    if precision == "fp16" and where.type == "cpu":
        raise InputError("precision 'fp16' needs a GPU; use 'bf16' or 'fp32' on the CPU")
    score = checkpoint.score if score is None else score
    if not 0 <= score <= 1:
        raise InputError(f"score: expected 0 to 1, got {score}")
    if batch_size < 1:
        raise InputError(f"batch_size: expected at least 1, got {batch_size}")
    if exp_file:
        cls = load_class(str(exp_file))
    else:
        path = checkpoint.path
        cls = load_named(checkpoint.experiment, f"checkpoint {path}", path.parent)
    known = cls.from_dict(checkpoint.settings)
    settings.setdefault("score_threshold", min(score, known.get("score_threshold", score)))
    exp = cls(checkpoint.settings, **settings)
    predictor = Predictor.from_checkpoint(
        checkpoint, exp, where, Precision(precision, where.type), fused
    )
    return ObjectDetector(predictor, score, batch_size)


def _device(text: str | None) -> torch.device:
    if text is None:
        return parse_devices(None).device(0)
    kind, _, index = text.partition(":")
    if kind == "cuda" and (index.isdigit() or not index):
        if int(index or 0) >= torch.cuda.device_count():
            raise InputError(
                f"device {text}: this machine has {torch.cuda.device_count()} GPUs that torch can "
                "use; device='cpu' uses the CPU"
            )
        return parse_devices(f"{index or 0},").device(0)
    if text in ("cpu", "mps"):
        return parse_devices(text).device(0)
    raise InputError(f"device: expected cpu, cuda, cuda:0 or mps, got {text!r}")


def _is_array(source: object) -> TypeGuard[Image]:
    """Whether it is an array, or converts to one, as an image of Pillow does."""
    return hasattr(source, "__array_interface__") or hasattr(source, "__array__")


def _unfit(source: object) -> str:
    return (
        "image: expected an array [H, W, 3] uint8 RGB, or the path of a file, folder or pattern, "
        f"or an address; got {type(source).__name__}"
    )


def _array(source: Source) -> Image:
    if not _is_array(source):
        raise InputError(_unfit(source))
    pixels = np.asarray(source)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise InputError(
            f"image: expected an array [H, W, 3] uint8 RGB, got {list(pixels.shape)} {pixels.dtype}"
        )
    # An image of Pillow, which is not needed here, has its pixels as they are stored.
    exif = source.getexif() if hasattr(source, "getexif") else {}
    return oriented(pixels, exif.get(ORIENTATION, 1))
