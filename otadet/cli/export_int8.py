"""``--int8`` of the ONNX export: a second file in int8, kept only if it loses little."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from loguru import logger
from onnx import ModelProto

from otadet.atomic import atomic_path, atomic_write
from otadet.cli.onnx_file import evaluate_onnx
from otadet.cli.own_files import report_of
from otadet.data import Dataset, collate, read_image
from otadet.errors import InputError
from otadet.evaluation import build_evaluator
from otadet.exp import BaseExp
from otadet.export import OnnxDetector, quantize
from otadet.export.compare import count_matches
from otadet.media import image_files
from otadet.rng import generator
from otadet.types import Batch, Sample

if TYPE_CHECKING:
    from otadet.cli.export import ExportRequest

MAX_IMAGES = 256
"""Largest number of calibration images, spread evenly over the folder."""


@dataclass(frozen=True, eq=False)
class Int8Export:
    """An int8 export that was requested.

    Attributes:
        files: calibration images.
        limit: largest loss of AP, or of agreement without a validation set.
        force: keep the file whatever it loses.
        validation: the validation set, or ``None`` where there is none.
    """

    files: Sequence[Path]
    limit: float
    force: bool
    validation: Dataset | None

    @staticmethod
    def requested(args: argparse.Namespace, request: ExportRequest) -> Int8Export | None:
        """Read the command line; ``None`` without ``--int8``.

        Raises:
            InputError: an option is wrong, or there are no images.
        """
        if args.int8 is None:
            if args.force:
                raise InputError("--force: expected with --int8")
            return None
        if not 0 <= args.int8_limit <= 1:
            raise InputError(f"--int8-limit: expected 0 to 1, got {args.int8_limit}")
        found = image_files(Path(args.int8), "--int8")
        spread = np.linspace(0, len(found) - 1, min(MAX_IMAGES, len(found))).astype(int)
        files = [found[i] for i in spread]
        return Int8Export(files, args.int8_limit, args.force, _validation(args, request))

    def write(self, file: ModelProto, request: ExportRequest) -> int:
        """Quantise, measure and write; the exit code is 1 where the file is not kept."""
        logger.info("int8: calibrating on {} images", len(self.files))
        images = (batch.images for batch in self._batches(request))
        int8 = quantize(file, images, request.options.uint8)
        measured = self._measured(OnnxDetector.of(file), OnnxDetector.of(int8.model), request)
        about = {**int8.about, **measured}
        entry = int8.model.metadata_props.add()
        entry.key, entry.value = "quantization", json.dumps(about)
        output = int8_output(request.output)
        words = "{}: {measure} {float32:.4f} in float32, {int8:.4f} in int8".format(
            output, **measured
        )
        enough = measured["float32"] - measured["int8"] <= self.limit
        if not enough and not self.force:
            logger.error("{}; it loses more than {} and is not kept", words, self.limit)
            return 1
        _save(int8.model, output, {"file": output.name, "limit": self.limit, **about})
        logger.log("INFO" if enough else "WARNING", words)
        size = output.stat().st_size
        logger.info(
            "wrote {} ({:.1f} MB, {:.1f} before)", output, size / 1e6, file.ByteSize() / 1e6
        )
        return 0

    def _batches(self, request: ExportRequest) -> Iterator[Batch]:
        options = request.options
        transform = options.rule.transform()
        size = None if options.free_size else options.size
        pixels = request.exp.build_image_options()
        for path in self.files:
            sample = transform(Sample.unlabelled(read_image(path, options=pixels)), generator(0))
            yield collate([sample], size=size)

    def _measured(
        self, before: OnnxDetector, after: OnnxDetector, request: ExportRequest
    ) -> dict[str, Any]:
        if self.validation is not None:
            float32, int8 = (_ap(d, self.validation, request.exp) for d in (before, after))
            count = len(self.validation)
            return {"measure": "AP", "pictures": count, "float32": float32, "int8": int8}
        both = 0
        total = 0
        for batch in self._batches(request):
            partners, found = count_matches(before(batch)[0], after(batch)[0])
            both, total = both + partners, total + found
        share = both / total if total else 1.0
        count = len(self.files)
        return {"measure": "agreement", "pictures": count, "float32": 1.0, "int8": float(share)}


def int8_output(output: Path) -> Path:
    """Return the int8 file beside an exported one."""
    return output.with_name(f"{output.stem}.int8.onnx")


def _ap(detector: OnnxDetector, data: Dataset, exp: BaseExp) -> float:
    """COCO's AP of a file, whichever metrics the experiment computes."""
    gts = [data.ground_truth(i) for i in range(len(data))]
    evaluator = build_evaluator(gts, data.class_names, ("coco",), exp.max_detections)
    return float(evaluate_onnx(detector, data, exp, evaluator=evaluator).metrics["AP"])


def _validation(args: argparse.Namespace, request: ExportRequest) -> Dataset | None:
    """The validation set of the settings; a missing one is an error only where it was named."""
    exp = request.exp
    asked = any(
        key in type(exp).parse(args.overrides) for key in ("data_dir", "val_ann", "val_images")
    )
    if not _has_validation(exp) and not asked:
        logger.warning("int8: no validation set at {}; comparing detections", exp.data_dir)
        return None
    return exp.build_val_data(request.checkpoint.class_names)


def _has_validation(exp: BaseExp) -> bool:
    if exp.data_dir is None:
        return True
    try:
        place = exp.place("val")
    except InputError:
        return False
    return place.annotations.exists()


def _save(model: ModelProto, output: Path, report: dict[str, Any]) -> None:
    with atomic_path(output) as part:
        onnx.save_model(model, str(part))
        onnx.checker.check_model(str(part), full_check=True)
        atomic_write(report_of(output), json.dumps(report, indent=2) + "\n")
