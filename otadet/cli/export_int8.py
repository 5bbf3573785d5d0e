"""``--int8`` of the ONNX export: a second file in eight bits, kept only if it is good enough."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from loguru import logger
from onnx import ModelProto

from otadet.atomic import atomic_path
from otadet.cli.common import pictures_in
from otadet.cli.export_common import Request
from otadet.cli.onnx_file import evaluate_onnx
from otadet.data import Dataset, collate, find_data, read_image
from otadet.errors import InputError
from otadet.evaluation import build_evaluator
from otadet.exp import BaseExp
from otadet.export import OnnxDetector, quantize
from otadet.export.compare import alike
from otadet.rng import generator
from otadet.types import Batch, Sample

MOST_PICTURES = 256
"""So many pictures of the calibration folder, spread over it, are used at most."""


@dataclass(frozen=True, eq=False)
class Reduction:
    """What is asked for.

    Attributes:
        pictures: for calibration.
        limit: largest loss.
        force: keep the file whatever it loses.
        validation: the validation set, or ``None`` where there is none.
    """

    pictures: Sequence[Path]
    limit: float
    force: bool
    validation: Dataset | None

    @staticmethod
    def requested(args: argparse.Namespace, request: Request) -> Reduction | None:
        """Read the command line, before anything takes time.

        Raises:
            InputError: for anything in it that cannot be.
        """
        if args.int8 is None:
            if args.force:
                raise InputError("--force: expected with --int8")
            return None
        if not 0 <= args.int8_limit <= 1:
            raise InputError(f"--int8-limit: expected 0 to 1, got {args.int8_limit}")
        found = pictures_in(Path(args.int8), "--int8")
        spread = np.linspace(0, len(found) - 1, min(MOST_PICTURES, len(found))).astype(int)
        pictures = [found[i] for i in spread]
        return Reduction(pictures, args.int8_limit, args.force, _validation(args, request))

    def write(self, file: ModelProto, request: Request) -> int:
        """Quantise, measure and write; 1 where the file is not kept."""
        logger.info("int8: calibrating on {} pictures", len(self.pictures))
        images = (batch.images for batch in self._batches(request))
        int8 = quantize(file, images, request.options.uint8)
        measured = self._measured(OnnxDetector.of(file), OnnxDetector.of(int8.model), request)
        about = {**int8.about, **measured}
        entry = int8.model.metadata_props.add()
        entry.key, entry.value = "quantization", json.dumps(about)
        output = request.output.with_name(f"{request.output.stem}.int8.onnx")
        words = "{}: {measure} {float32:.4f} in float32, {int8:.4f} in int8".format(
            output, **measured
        )
        enough = measured["float32"] - measured["int8"] <= self.limit
        if not enough and not self.force:
            logger.error("{}; more than {} lost, it is not kept", words, self.limit)
            return 1
        _save(int8.model, output, {"file": output.name, "limit": self.limit, **about})
        logger.log("INFO" if enough else "WARNING", words)
        size = output.stat().st_size
        logger.info(
            "wrote {} ({:.1f} MB, {:.1f} before)", output, size / 1e6, file.ByteSize() / 1e6
        )
        return 0

    def _batches(self, request: Request) -> Iterator[Batch]:
        options = request.options
        transform = options.rule.transform()
        size = None if options.free_size else options.size
        for path in self.pictures:
            sample = transform(Sample.bare(read_image(path)), generator(0))
            yield collate([sample], size=size)

    def _measured(
        self, before: OnnxDetector, after: OnnxDetector, request: Request
    ) -> dict[str, Any]:
        if self.validation is not None:
            float32, int8 = (_ap(d, self.validation, request.exp) for d in (before, after))
            count = len(self.validation)
            return {"measure": "AP", "pictures": count, "float32": float32, "int8": int8}
        both = 0
        total = 0
        for batch in self._batches(request):
            partners, found = alike(before(batch)[0], after(batch)[0])
            both, total = both + partners, total + found
        share = both / total if total else 1.0
        count = len(self.pictures)
        return {"measure": "agreement", "pictures": count, "float32": 1.0, "int8": float(share)}


def _ap(detector: OnnxDetector, data: Dataset, exp: BaseExp) -> float:
    """COCO's AP of a file, whatever the experiment's own evaluator computes."""
    gts = [data.truth(i) for i in range(len(data))]
    evaluator = build_evaluator(gts, data.class_names, ("coco",), exp.max_detections)
    return float(evaluate_onnx(detector, data, exp, evaluator=evaluator).metrics["AP"])


def _validation(args: argparse.Namespace, request: Request) -> Dataset | None:
    """The settings' validation set; a missing one is an error only where it was asked for."""
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
        place = find_data(exp.data_dir, "val", exp.val_ann, exp.val_images, exp.data_format)
    except InputError:
        return False
    return place.annotations.exists()


def _save(model: ModelProto, output: Path, report: dict[str, Any]) -> None:
    with atomic_path(output) as part:
        onnx.save_model(model, str(part))
        onnx.checker.check_model(str(part), full_check=True)
        output.with_name(output.name + ".report.json").write_text(
            json.dumps(report, indent=2) + "\n"
        )
