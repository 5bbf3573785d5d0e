"""What the exports share: reading the request, and keeping a file only when it is proven."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loguru import logger

import otadet
from otadet.atomic import atomic_path
from otadet.cli.common import chosen_exp, find_checkpoint, pictures_in
from otadet.data import Letterbox, ShapesDataset, collate, read_image
from otadet.engine.checkpoint import Checkpoint, load_weights
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.export import ExportOptions, ResizeRule, Verification, metadata
from otadet.geometry import Size, padded
from otadet.models import Detector, RCNNHead
from otadet.postprocess import Postprocess
from otadet.rng import generator
from otadet.types import Batch, Sample

PICTURES = 8
"""So many pictures, spread over the folder, are compared."""


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be exported, and to where.

    Attributes:
        model: in evaluation mode, on the CPU.
        exp: its settings.
        checkpoint: where its weights are from.
        options: form of the file.
        pictures: to compare on; none for generated ones.
        output: the file.
    """

    model: Detector
    exp: BaseExp
    checkpoint: Checkpoint
    options: ExportOptions
    pictures: Sequence[Path]
    output: Path

    @property
    def postprocess(self) -> Postprocess:
        """That of the settings. A file's user has plain NMS alone."""
        return replace(self.exp.build_postprocess(), nms_kind="hard")

    @property
    def batches(self) -> list[Batch]:
        """What the file is compared on."""
        return batches_for(self.pictures, self.options)

    def entries(self) -> dict[str, str]:
        """The file's metadata."""
        return metadata(
            class_names=self.checkpoint.class_names,
            strides=strides_of(self.model),
            options=self.options,
            postprocess=self.postprocess,
            score=self.checkpoint.score,
            experiment=self.exp.name,
            settings=self.exp.as_dict(),
        )


def requested(args: argparse.Namespace) -> Request | None:
    """Read the command line; ``None`` after ``--help-settings`` has been answered.

    Raises:
        InputError: for anything in it that cannot be.
    """
    checkpoint = find_checkpoint(args)
    exp = chosen_exp(args, checkpoint)
    if exp is None:
        return None
    output = _output(args.output)
    rule = ResizeRule(exp.resize, exp.test_size)
    options = ExportOptions(rule, args.dynamic, args.nms, args.uint8, args.opset)
    pictures = pictures_in(Path(args.verify), "--verify") if args.verify else []
    if options.rule.kind != rule.kind:
        logger.warning(
            "the file takes pictures of {} x {} (width x height) only and others are fitted into "
            "it; --dynamic hw keeps the rule of evaluation, {} {}",
            options.size[1], options.size[0], rule.kind, rule.size,
        )  # fmt: skip
    if exp.nms_kind != "hard":
        logger.warning("nms_kind={}: left out, the file is for plain NMS", exp.nms_kind)
    if exp.tta != "none":
        logger.warning("tta={}: left out, the file takes one pass over a picture", exp.tta)
    model = exp.build_model(len(checkpoint.class_names))
    if isinstance(model.head, RCNNHead):
        raise InputError(
            f"export: expected a one-stage detector, got {exp.name}, whose NMS and RoIAlign inside "
            "the network have no form in these files"
        )
    load_weights(model, checkpoint)
    return Request(model.eval(), exp, checkpoint, options, pictures, output)


def keep_if_proven(
    request: Request,
    about: dict[str, Any],
    ending: str,
    save: Callable[[Path], None],
    prove: Callable[[Path], Verification],
) -> int:
    """Write a file under a temporary name, compare it, and only then give it its name.

    Args:
        request: what is exported.
        about: ``exporter``, ``opset`` and ``versions`` for the report.
        ending: of the temporary file's name, which some libraries choose a format by.
        save: writes the file.
        prove: reads the file back and compares it with the network.

    Returns:
        The exit code: 1 where the file differs; it is not left then.
    """
    output = request.output
    made = [folder for folder in output.parents if not folder.exists()]  # the deepest first
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(output, ending) as part:
            save(part)
            result = prove(part)
            if not result.passed:
                part.unlink()
                logger.error("{} is not written, it differs from the network: {}", output, result)
                return 1
            report = _report(request, result, about, part)
            output.with_name(output.name + ".report.json").write_text(
                json.dumps({"file": output.name, **report}, indent=2) + "\n"
            )
    finally:
        for folder in made:
            with suppress(OSError):  # those with something in them stay
                folder.rmdir()
    logger.info("equal to the network on {} pictures: {}", report["pictures"], result)
    logger.info("wrote {} ({:.1f} MB) and {}.report.json", output, report["bytes"] / 1e6, output)
    return 0


def _output(text: str) -> Path:
    path = Path(text)
    for above in path.parents:
        if above.exists() and not above.is_dir():
            raise InputError(f"--output {path}: {above} is a file")
    if path.is_dir():
        raise InputError(f"--output {path}: is a folder; expected the name of a file")
    return path


def _report(
    request: Request, result: Verification, about: dict[str, Any], file: Path
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
        "compared_on": "files" if request.pictures else "generated pictures",
        "pictures": sum(t.batch for t in result.trials),
        **result.as_dict(),
    }


def batches_for(pictures: Sequence[Path], options: ExportOptions) -> list[Batch]:
    """Pictures in one batch size and shape, or in two where the file leaves them free."""
    if pictures:
        chosen = np.linspace(0, len(pictures) - 1, min(PICTURES, len(pictures))).astype(int)
        images = [Sample.bare(read_image(pictures[i])) for i in chosen]
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


@torch.no_grad()
def strides_of(model: Detector) -> list[int]:
    grid = model(torch.zeros((1, 3, 128, 128))).points.grid or ()
    return [level.stride for level in grid]
