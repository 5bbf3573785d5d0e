"""``tools/export.py``: write a checkpoint as ONNX, TorchScript or a torch.export archive.

A file keeps its name only after it was read back and compared with the network.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import torch
from loguru import logger

import otadet
from otadet.atomic import atomic_path, atomic_write
from otadet.cli.common import find_checkpoint, select_experiment
from otadet.cli.export_int8 import Int8Export, int8_output
from otadet.cli.own_files import check_export, report_of
from otadet.cli.parsers.export import parser
from otadet.data import ImageOptions
from otadet.engine.checkpoint import Checkpoint, log_provenance
from otadet.engine.fitted import fitted_model
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.export import (
    ExportOptions,
    ResizeRule,
    Verification,
    load_program,
    metadata,
    require_onnxruntime,
    sample_batches,
    save_program,
    strides_of,
    to_onnx,
    verify,
    verify_run,
    write_metadata,
)
from otadet.media import image_files
from otadet.models import Detector
from otadet.postprocess import Postprocess
from otadet.types import Batch


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """A network to export, and the file to write.

    Attributes:
        model: in evaluation mode, on the CPU.
        exp: its settings.
        checkpoint: the source of its weights.
        options: form of the file.
        images: image files to compare on; empty for generated images.
        output: the file.
    """

    model: Detector
    exp: BaseExp
    checkpoint: Checkpoint
    options: ExportOptions
    images: Sequence[Path]
    output: Path

    @property
    def postprocess(self) -> Postprocess:
        """That of the settings, with hard NMS: a file supports no other."""
        return replace(self.exp.build_postprocess(), nms_kind="hard")

    @property
    def batches(self) -> list[Batch]:
        """Images on which the file is compared with the network."""
        return sample_batches(self.images, self.options)

    def metadata(self) -> dict[str, str]:
        """Metadata of the file."""
        return metadata(
            class_names=self.checkpoint.class_names,
            category_ids=self.checkpoint.category_ids,
            strides=strides_of(self.model),
            options=self.options,
            postprocess=self.postprocess,
            score=self.checkpoint.score,
            experiment=self.exp.name,
            settings=self.exp.as_dict(),
            tiling=self.exp.build_tiling(),
            tile_whole=self.exp.tile_whole,
            provenance=self.checkpoint.provenance,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Export and verify; the exit code is 1 where the file differs from the network."""
    if args.format == "onnx":
        return _export_onnx(args)
    for option, value in (("--nms", args.nms), ("--int8", args.int8)):
        if value:
            raise InputError(f"{option}: expected with --format onnx only, got {args.format}")
    request = _read_request(args)
    if request is None:
        return 0
    model, postprocess, options = request.model, request.postprocess, request.options

    def save(path: Path) -> None:
        save_program(path, args.format, model, postprocess, options, request.metadata())

    def compare(path: Path) -> Verification:
        run = load_program(path, args.format, options.uint8)
        return verify_run(run, model, postprocess, options, request.batches)

    # torch chooses the format of an archive by its ending.
    ending = ".part.pt2" if args.format == "torch_export" else ".part.pt"
    return _write_verified(request, {"exporter": args.format}, ending, save, compare)


def _export_onnx(args: argparse.Namespace) -> int:
    require_onnxruntime()
    import onnxruntime

    request = _read_request(args)
    if request is None:
        return 0
    int8 = Int8Export.requested(args, request)
    postprocess, options = request.postprocess, request.options
    export = to_onnx(request.model, postprocess, options)
    write_metadata(export.model, request.metadata())

    def save(path: Path) -> None:
        onnx.save_model(export.model, str(path))
        onnx.checker.check_model(str(path), full_check=True)

    def compare(path: Path) -> Verification:
        file = onnx.load_model(str(path))
        return verify(file, request.model, postprocess, options, request.batches)

    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
    about = {"exporter": export.exporter, "opset": options.opset, "versions": versions}
    code = _write_verified(request, about, ".part", save, compare)
    if code or int8 is None:
        return code
    return int8.write(onnx.load_model(str(request.output)), request)


def _read_request(args: argparse.Namespace) -> ExportRequest | None:
    """Read the command line; ``None`` after ``--help-settings`` has been answered.

    Raises:
        InputError: an option or setting is wrong, or the network cannot be exported.
    """
    checkpoint = find_checkpoint(args)
    exp = select_experiment(args, checkpoint)
    if exp is None:
        return None
    output = _output(args.output)
    rule = ResizeRule(exp.resize, exp.test_size)
    options = ExportOptions(rule, args.dynamic, args.nms, args.uint8, args.opset)
    images = image_files(Path(args.verify), "--verify") if args.verify else []
    reads = [checkpoint.path, *([Path(args.exp_file)] if args.exp_file else []), *images]
    check_export(output, reads, int8_output(output) if args.int8 else None)
    if options.rule.kind != rule.kind:
        logger.warning(
            "the file takes images of {} x {} (width x height) only, others are letterboxed into "
            "it; --dynamic hw keeps the resize of evaluation, {} {}",
            options.size[1], options.size[0], rule.kind, rule.size,
        )  # fmt: skip
    if exp.nms_kind != "hard":
        logger.warning("nms_kind={}: not exported, the file uses hard NMS", exp.nms_kind)
    if exp.build_image_options() != ImageOptions():
        logger.warning(
            "image_pages, image_channels, image_stretch: not exported: it takes RGB bytes"
        )
    if exp.tta != "none":
        logger.warning("tta={}: not exported, the file makes one pass an image", exp.tta)
    log_provenance(checkpoint)
    where = f"checkpoint {checkpoint.path}"
    model = fitted_model(exp, len(checkpoint.class_names), checkpoint.weights, where)
    if not getattr(model.head, "exportable", True):
        raise InputError(
            f"export: expected a one-stage detector, got {exp.name}, whose NMS and RoIAlign inside "
            "the network have no form in these files"
        )
    return ExportRequest(model.eval(), exp, checkpoint, options, images, output)


def _output(text: str) -> Path:
    path = Path(text)
    for above in path.parents:
        if above.exists() and not above.is_dir():
            raise InputError(f"--output {path}: {above} is a file")
    if path.is_dir():
        raise InputError(f"--output {path}: is a folder; expected the name of a file")
    return path


def _write_verified(
    request: ExportRequest,
    about: dict[str, Any],
    ending: str,
    save: Callable[[Path], None],
    compare: Callable[[Path], Verification],
) -> int:
    """Write a file under a temporary name, compare it with the network, and rename it.

    Args:
        request: what is exported.
        about: ``exporter``, ``opset`` and ``versions`` for the report.
        ending: of the temporary name, by which some libraries choose a format.
        save: writes the file.
        compare: reads the file back and compares it with the network.

    Returns:
        The exit code: 1 where the file differs; it is removed then.
    """
    output = request.output
    made = [folder for folder in output.parents if not folder.exists()]  # the deepest first
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(output, ending) as part:
            save(part)
            result = compare(part)
            if not result.passed:
                part.unlink()
                logger.error("{} is not written, it differs from the network: {}", output, result)
                return 1
            report = _report(request, result, about, part)
            content = {"file": output.name, **report}
            atomic_write(report_of(output), json.dumps(content, indent=2) + "\n")
    finally:
        for folder in made:
            with suppress(OSError):  # those with something in them stay
                folder.rmdir()
    logger.info("equal to the network on {} images: {}", report["pictures"], result)
    logger.info("wrote {} ({:.1f} MB) and {}.report.json", output, report["bytes"] / 1e6, output)
    return 0


def _report(
    request: ExportRequest, result: Verification, about: dict[str, Any], file: Path
) -> dict[str, Any]:
    options = request.options
    versions = {"otadet": otadet.__version__, "torch": torch.__version__}
    return {
        "checkpoint": str(request.checkpoint.path),
        "experiment": request.checkpoint.experiment,
        "bytes": file.stat().st_size,
        **about,
        "versions": {**versions, **about.get("versions", {})},
        "dynamic": options.dynamic,
        "nms": options.nms,
        "uint8": options.uint8,
        "compared_on": "files" if request.images else "generated images",
        "pictures": sum(t.batch for t in result.trials),
        **result.as_dict(),
    }
