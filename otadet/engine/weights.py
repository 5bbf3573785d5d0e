"""Weights of any known format as a checkpoint, for every command's ``-c``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from loguru import logger
from torch import Tensor

from otadet.data.coco_classes import COCO_CLASSES, COCO_IDS
from otadet.engine.checkpoint import Checkpoint, describe_content, is_checkpoint, parse_checkpoint
from otadet.errors import InputError
from otadet.exp import BaseExp, load_class
from otadet.models import (
    PUBLISHED,
    YOLOX,
    clean,
    coco_rows,
    convert_torchvision_fcos,
    convert_yolox,
    is_torchvision_fcos,
    is_yolox,
    read_file,
    weights,
)
from otadet.schema import is_dict, refuse
from otadet.texts import nearest

_FCOS = "fcos_r50_torchvision"


def open_weights(
    source: str | Path,
    exp: type[BaseExp] | None = None,
    class_names: Sequence[str] | None = None,
) -> Checkpoint:
    """Read weights of any known format as a checkpoint.

    Known are checkpoints of this package, official YOLOX files (also folded ones) and state dicts
    of torchvision's ``fcos_resnet50_fpn``. Nothing in a file is executed.

    Args:
        source: a file, or the name of published weights (a key of ``PUBLISHED``), which are
            fetched unless they come with the package.
        exp: whose network foreign weights belong to; ``None`` recognises it by their shapes. A
            class, since its settings alone may be no run: data paths before a ``data_dir``.
        class_names: of foreign weights, in the network's order. ``None``: COCO's where there are
            as many, else made up.

    Returns:
        For foreign weights a checkpoint with the settings of the experiment and nothing to resume.

    Raises:
        InputError: where the file is missing, unreadable or of no known format, where its network
            is not recognised, or where the number of names is another.
    """
    path = find_file(source)
    content = read_file(path, "checkpoint")
    if is_checkpoint(content):
        checkpoint = parse_checkpoint(content, path)
        return _renamed(checkpoint, class_names) if class_names is not None else checkpoint
    state = _state_dict(content, path)
    if is_torchvision_fcos(state):
        rows = coco_rows()
        categories = len(state["head.classification_head.cls_logits.weight"])
        coco = categories == 91 and class_names is None
        weights = convert_torchvision_fcos(state, list(rows.values()) if coco else None)
        exp = exp or load_class(name=_FCOS)
        names = tuple(rows) if coco else _names(categories, class_names, path)
    elif is_yolox(state):
        weights = convert_yolox(state)
        exp = exp or _recognised(weights, path)
        names = _names(_yolox_classes(weights, path), class_names, path)
    else:
        raise InputError(
            f"checkpoint {path}: expected a checkpoint of otadet, official weights of YOLOX (names "
            f"that begin with backbone.backbone., under 'model') or a state dict of torchvision's "
            f"fcos_resnet50_fpn; got {describe_content(content)}"
        )
    ids = COCO_IDS if names == COCO_CLASSES else None
    return Checkpoint(path, exp.name, exp.defaults(), names, weights, {}, 0, {}, category_ids=ids)


def find_file(source: str | Path) -> Path:
    """Return the file of ``-c``; published weights given by name are found, or downloaded.

    Raises:
        InputError: where there is neither, or fetching fails.
    """
    path = Path(source)
    if os.path.isfile(path):  # noqa: PTH113  false too for a name that is too long
        return path
    if str(source) in PUBLISHED:
        return PUBLISHED[str(source)].fetch()
    if os.path.isdir(path):  # noqa: PTH112
        raise InputError(f"checkpoint {path}: is a folder; name a file in it, such as best.pth")
    if path.suffix or len(path.parts) > 1:  # a path, no name
        beside = [each.name for each in path.parent.glob(f"*{path.suffix}") if each.is_file()]
        near = nearest(path.name, beside)
        raise InputError(
            f"checkpoint {path}: no such file" + (f"; did you mean {near!r}?" if near else "")
        )
    near = nearest(path.name, PUBLISHED)
    meant = f"did you mean {near!r}? " if near else ""
    raise InputError(
        f"checkpoint {path}: neither a file nor published weights; {meant}published are "
        f"{', '.join(PUBLISHED)}"
    )


def _state_dict(content: object, path: Path) -> dict[str, Tensor]:
    """Return the tensors of a foreign file, also under ``model``; empty for anything else."""
    state = content.get("model", content) if is_dict(content) else {}
    state = state if is_dict(state) else {}
    found = {k: v for k, v in state.items() if isinstance(k, str) and isinstance(v, Tensor)}
    refuse(weights()(found, "weights"), f"checkpoint {path}")
    return clean(found)


def _recognised(weights: Mapping[str, Tensor], path: Path) -> type[BaseExp]:
    """Find the published YOLOX experiment whose network has these shapes, classes apart."""
    theirs = _shapes(weights)
    for name in YOLOX:
        exp = load_class(name=name)
        with torch.device("meta"):
            model = exp().build_model(1)
        if _shapes(model.state_dict()) == theirs:
            return exp
    raise InputError(
        f"checkpoint {path}: weights of YOLOX, but of none of {', '.join(YOLOX)}; name the "
        f"experiment whose network they are with -n or -f"
    )


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {
        k: v.shape
        for k, v in weights.items()
        if "cls_preds" not in k and not k.endswith("num_batches_tracked")
    }


def _yolox_classes(weights: Mapping[str, Tensor], path: Path) -> int:
    bias = weights.get("head.cls_preds.0.bias")
    if bias is None:
        raise InputError(
            f"checkpoint {path}: expected weights with head.cls_preds.0.bias, got none"
        )
    return len(bias)


def _names(count: int, names: Sequence[str] | None, path: Path) -> tuple[str, ...]:
    if names is not None:
        if len(names) != count:
            raise InputError(
                f"{path}: its network has {count} classes, {len(names)} names are given; name "
                f"them in its order with --classes a,b,c"
            )
        return tuple(names)
    if count == len(COCO_CLASSES):
        return COCO_CLASSES
    logger.warning(
        "{}: the file does not name its {} classes; they are called class 0, class 1, ... here; "
        "tools/convert_weights.py --classes a,b,c gives them names", path, count,
    )  # fmt: skip
    return tuple(f"class {i}" for i in range(count))


def _renamed(checkpoint: Checkpoint, names: Sequence[str]) -> Checkpoint:
    known = _names(len(checkpoint.class_names), names, checkpoint.path)
    return replace(checkpoint, class_names=known)
