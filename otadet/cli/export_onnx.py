"""``tools/export_onnx.py``: a checkpoint as an ONNX file that is proven before it is kept."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import torch
from loguru import logger

import otadet
from otadet.cli.common import (
    CHECKPOINT_HELP,
    add_experiment_arguments,
    chosen_exp,
    find_checkpoint,
    pictures_in,
)
from otadet.data import Letterbox, ShapesDataset, collate, read_image
from otadet.engine.checkpoint import Checkpoint, load_weights
from otadet.errors import InputError
from otadet.exp import Exp
from otadet.export import (
    Dynamic,
    ExportOptions,
    ResizeRule,
    Verification,
    metadata,
    require_onnxruntime,
    to_onnx,
    verify,
    write_metadata,
)
from otadet.geometry import Geometry, Size, padded
from otadet.models import Detector
from otadet.rng import generator
from otadet.types import Batch, Sample

PICTURES = 8
"""So many pictures, spread over the folder, are compared."""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(
        "export_onnx.py",
        description="Write a checkpoint as an ONNX file. The file is run with onnxruntime and "
        "compared with torch; it is kept only if both say the same.",
        epilog="python tools/export_onnx.py -n ota_r50 -c best.pth --output ota_r50.onnx",
    )
    add_experiment_arguments(p)
    p.add_argument("-c", "--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    p.add_argument("--output", required=True, metavar="FILE", help="the file to write")
    p.add_argument(
        "--dynamic", choices=get_args(Dynamic), default="none",
        help="axes of the input that are free: none (default), batch, hw (height and width), all",
    )  # fmt: skip
    p.add_argument("--nms", action="store_true", help="detections instead of all points")
    p.add_argument("--uint8", action="store_true", help="uint8 input; float32 otherwise")
    p.add_argument("--opset", type=int, default=18, metavar="N", help="18 (default) or newer")
    p.add_argument(
        "--verify", metavar="PATH",
        help="picture or folder of pictures to compare on (default: generated ones)",
    )  # fmt: skip
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Export, prove, and only then give the file its name; 1 where the proof fails."""
    args = parser().parse_intermixed_args(argv)
    require_onnxruntime()
    checkpoint = find_checkpoint(args)
    exp = chosen_exp(args, checkpoint)
    if exp is None:
        return 0
    output = _output(args.output)
    rule = ResizeRule(exp.resize, exp.test_size)
    options = ExportOptions(rule, args.dynamic, args.nms, args.uint8, args.opset)
    pictures = pictures_in(Path(args.verify), "--verify") if args.verify else []
    if options.rule != rule:
        logger.warning(
            "the file takes pictures of {} x {} (width x height) only and others are fitted into "
            "it; --dynamic hw keeps the rule of evaluation, {} {}",
            options.size[1], options.size[0], rule.kind, rule.size,
        )  # fmt: skip
    model = exp.build_model(len(checkpoint.class_names))
    load_weights(model, checkpoint)
    return _export(model.eval(), exp, checkpoint, options, pictures, output)


def _export(
    model: Detector,
    exp: Exp,
    checkpoint: Checkpoint,
    options: ExportOptions,
    pictures: Sequence[Path],
    output: Path,
) -> int:
    postprocess = exp.build_postprocess()
    batches = _batches(pictures, options)
    export = to_onnx(model, postprocess, options)
    entries = metadata(
        class_names=checkpoint.class_names,
        strides=_strides(model),
        options=options,
        postprocess=postprocess,
        experiment=exp.name,
        settings=exp.as_dict(),
    )
    write_metadata(export.model, entries)
    temporary = output.with_name(output.name + ".tmp")
    try:
        onnx.save_model(export.model, str(temporary))
        onnx.checker.check_model(str(temporary), full_check=True)
        result = verify(onnx.load_model(str(temporary)), model, postprocess, options, batches)
        if not result.passed:
            logger.error("{} is not written, it differs from the network: {}", output, result)
            return 1
        report = _report(result, options, export.exporter, checkpoint, pictures, temporary)
        output.with_name(output.name + ".report.json").write_text(
            json.dumps({"file": output.name, **report}, indent=2) + "\n"
        )
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    logger.info("equal to the network on {} pictures: {}", report["pictures"], result)
    logger.info("wrote {} ({:.1f} MB) and {}.report.json", output, report["bytes"] / 1e6, output)
    return 0


def _output(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir():
        raise InputError(f"--output {path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise InputError(f"--output {path}: is a folder; expected the name of a file")
    return path


def _report(
    result: Verification,
    options: ExportOptions,
    exporter: str,
    checkpoint: Checkpoint,
    pictures: Sequence[Path],
    file: Path,
) -> dict[str, Any]:
    import onnxruntime

    return {
        "checkpoint": str(checkpoint.path),
        "experiment": checkpoint.experiment,
        "bytes": file.stat().st_size,
        "versions": {
            "otadet": otadet.__version__,
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
        "exporter": exporter,
        "opset": options.opset,
        "dynamic": options.dynamic,
        "nms": options.nms,
        "uint8": options.uint8,
        "compared_on": "files" if pictures else "generated pictures",
        "pictures": sum(t.batch for t in result.trials),
        **result.as_dict(),
    }


def _batches(pictures: Sequence[Path], options: ExportOptions) -> list[Batch]:
    """Pictures in one batch size and shape, or in two where the file leaves them free."""
    if pictures:
        chosen = np.linspace(0, len(pictures) - 1, min(PICTURES, len(pictures))).astype(int)
        images = [_sample(read_image(pictures[i])) for i in chosen]
    else:
        shapes = [ShapesDataset(2, seed=0, size=s) for s in ((240, 320), (320, 240))]
        images = [data.load(i) for data in shapes for i in range(len(data))]
    counts = (1, 2) if options.free_batch else (1,)
    sizes = (options.size, _other(options.size)) if options.free_size else (options.size,)
    while len(images) < sum(counts) * len(sizes):  # every combination once
        images = [*images, *images]
    batches: list[Batch] = []
    at = 0
    while at < len(images):
        turn = len(batches)
        count = counts[turn % len(counts)]
        size = sizes[(turn // len(counts)) % len(sizes)]
        fitted = [Letterbox(size)(s, generator(0)) for s in images[at : at + count]]
        batches.append(collate(fitted, size=size))
        at += count
    return batches


def _other(size: Size) -> Size:
    """A second shape: the first on its side, or lower where it is a square."""
    height, width = size
    return (width, height) if height != width else padded((height * 3 // 4, width), 32)


def _sample(image: np.ndarray[Any, np.dtype[np.uint8]]) -> Sample:
    none = np.zeros((0, 4), np.float32)
    shape = (image.shape[0], image.shape[1])
    return Sample(image, none, np.zeros(0, np.int64), none, 0, Geometry.identity(shape))


@torch.no_grad()
def _strides(model: Detector) -> list[int]:
    grid = model(torch.zeros((1, 3, 128, 128))).points.grid or ()
    return [level.stride for level in grid]
