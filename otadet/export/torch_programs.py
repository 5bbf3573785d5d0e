"""Export to files of torch: TorchScript and ``torch.export`` archives."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.export import Dim

from otadet.errors import InputError
from otadet.export.options import MULTIPLE, ExportOptions
from otadet.export.verify import Run
from otadet.export.wrapper import Exportable, require_evaluation_mode
from otadet.models import Detector
from otadet.postprocess import Postprocess

ProgramFormat = Literal["torchscript", "torch_export"]
"""``torch.jit.load`` reads the first (Python and C++), ``torch.export.load`` the second."""

METADATA_FILE = "otadet.json"
"""Name of the file inside the archive that holds the same metadata as an ONNX file."""

OUTPUTS = ("boxes", "scores")


def save_program(
    path: Path,
    kind: ProgramFormat,
    model: Detector,
    postprocess: Postprocess,
    options: ExportOptions,
    entries: Mapping[str, str],
) -> None:
    """Write the detector with its metadata.

    The program maps images ``[B, 3, H, W]`` RGB, 0 to 255, uint8 or float32 by ``options``, to
    boxes ``[B, A, 4]`` xyxy, input frame, and scores ``[B, A, C]``.

    Args:
        path: the file.
        kind: format of the file.
        model: in evaluation mode, on the CPU; it is not changed.
        postprocess: its score rule is used.
        options: free axes and type of the input.
        entries: metadata, values in JSON.

    Raises:
        InputError: ``options`` ask for NMS, which only ONNX files have, or the model is in
            training mode.
    """
    require_evaluation_mode(model)
    if options.nms:
        raise InputError(f"--nms: expected with --format onnx only, got {kind}")
    wrapped = Exportable(model, postprocess).eval()
    # Two images: an axis of length 1 would be taken for one that never changes.
    shape = (2 if options.free_batch else 1, 3, *options.size)
    example = torch.zeros(shape, dtype=torch.uint8 if options.uint8 else torch.float32)
    extra = {METADATA_FILE: json.dumps(dict(entries))}
    with torch.no_grad(), warnings.catch_warnings():
        # TorchScript warns that it is deprecated and of each size it reads; the file is verified.
        warnings.simplefilter("ignore")
        if kind == "torchscript":
            traced = torch.jit.freeze(torch.jit.trace(wrapped, example))  # type: ignore[no-untyped-call]
            torch.jit.save(traced, str(path), _extra_files=extra)
        else:
            program = torch.export.export(
                wrapped, (example,), dynamic_shapes={"images": _axes(options)}
            )
            torch.export.save(program, path, extra_files=extra)


def _axes(options: ExportOptions) -> dict[int, Any]:
    """Free axes of the input.

    Height and width are multiples, by which torch knows that skipped and upsampled features have
    equal sizes.
    """
    axes: dict[int, Any] = {0: Dim("batch", min=1)} if options.free_batch else {}
    if options.free_size:
        axes |= {
            axis: MULTIPLE * Dim(f"{name}_by_{MULTIPLE}", min=1)
            for axis, name in ((2, "height"), (3, "width"))
        }
    return axes


def load_program(path: Path, kind: ProgramFormat, uint8: bool) -> Run:
    """Load a file of :func:`save_program` as a function, on the CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above: TorchScript is deprecated
        if kind == "torchscript":
            call = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        else:
            call = torch.export.load(path).module()

    def run(images: Tensor) -> dict[str, Any]:
        with torch.no_grad():
            outputs = call(images.contiguous() if uint8 else images.contiguous().float())
        return {name: value.numpy() for name, value in zip(OUTPUTS, outputs)}

    return run


def read_metadata(path: Path, kind: ProgramFormat) -> dict[str, Any]:
    """Read the metadata of a file of :func:`save_program`.

    Raises:
        InputError: the file has none.
    """
    extra: dict[str, Any] = {METADATA_FILE: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "torchscript":
            torch.jit.load(str(path), _extra_files=extra)  # type: ignore[no-untyped-call]
        else:
            torch.export.load(path, extra_files=extra)
    if not extra[METADATA_FILE]:
        raise InputError(f"{path}: no metadata; expected a file of tools/export.py")
    return {key: json.loads(text) for key, text in json.loads(extra[METADATA_FILE]).items()}
