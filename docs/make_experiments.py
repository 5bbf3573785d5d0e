"""Writes ``docs/experiments.md``: every experiment and variant with its size and scores.

    python docs/make_experiments.py

Networks are built on the meta device, without memory, and their operations are counted in one
forward pass at the test size: two minutes in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tabulate import tabulate

from otadet.exp import Exp, list_experiments, load_exp
from otadet.exp.recipe import Row
from otadet.geometry import Size, padded
from otadet.models import count_flops
from otadet_methods.faster_rcnn import RcnnExp

PAGE = Path(__file__).parent / "experiments.md"

HEAD = """# Experiments

Written by `docs/make_experiments.py`; do not edit. A line is trained with

```bash
python tools/train.py -n NAME SETTINGS -d 8 -b 16 --fp16 data_dir=DATA
```

(`-b 64` for the YOLOX family) and evaluated with `tools/eval.py` on the checkpoint. Scores are AP,
or AP / AP50 / AP75, on COCO val unless stated otherwise, quoted from the source named beside
them; "OTA" is Ge et al., CVPR 2021, "YOLOX" the README of its code. Parameters count what is
learned and what is frozen, BatchNorm with fixed statistics apart. Operations are torch's count (a
multiply-add is two) for one image of the test size, its sides rounded up to multiples of 32; of
deformable convolutions the products count and the sampling does not.

Not here, because the paper quotes them from others: Table 5's rivals. Its 51.5 on test-dev is the
last 2x line with multi-scale testing.

"""

TAIL = """
The anchor of RetinaNet is a square of 8 strides (`anchor_scale`). The paper names no size and its
code for this head is not published; 8 is what ATSS gives RetinaNet with one anchor. FCOS and ATSS
stand on points, PAA on those anchors. Rows without dynamic k have k=10, which Table 4 shows to be
the same run. The rules of Table 3 leave a point to one object before the transport runs.

Deformable convolutions (`deform_stages`, `deform_head`) are modulated (v2), in the last two stages
and the last convolution of each tower; as published, each starts at half of what the plain one
gives. Baselines on COCO are as published (`min_positives=0`): an object may end without a point.
Those of `crowdhuman_r50` go by `method`, where it gets one back.
"""

_NETWORK = (
    "backbone", "deform_stages", "fpn_channels", "extra_levels", "head_width",
    "head_convs", "tower_bias", "deform_head", "frozen_norm", "depth", "width", "depthwise", "head",
    "roi_width", "proposals",
)  # fmt: skip
"""Settings that change a network's size, besides whether there is a quality branch."""

CLASSES = {"ota_nano_cells": 3}
"""Of experiments that are made for one data set."""


@dataclass(frozen=True)
class Line:
    """One variant of an experiment.

    Attributes:
        name: of the experiment.
        row: settings and scores.
        exp: with these settings.
    """

    name: str
    row: Row
    exp: Exp

    @property
    def classes(self) -> int:
        """Of the data that the experiment names; 80 where it leaves them to the user."""
        if self.name in CLASSES:
            return CLASSES[self.name]
        if self.exp.data_dir is None and self.name in ("quickstart", "ota_fcos_r18", "assigner"):
            return len(self.exp.shapes_classes)
        return 1 if "CrowdHuman" in str(self.exp.data_dir) else 80

    @property
    def size(self) -> Size:
        """Height and width of the image whose operations are counted."""
        return padded(self.exp.test_size, 32)

    @property
    def key(self) -> tuple[Any, ...]:
        """What the network depends on; the same for lines of equal networks."""
        parts = tuple(getattr(self.exp, name, None) for name in _NETWORK)
        return (*parts, getattr(self.exp, "head_quality", None) == "none", self.classes)

    def network(self, device: str = "meta") -> torch.nn.Module:
        """Without memory, where ``device`` is not another one."""
        with torch.device(device):
            return self.exp.build_model(self.classes)


def lines() -> Iterator[Line]:
    """Every variant of every experiment of this checkout."""
    folder = Path(__file__).parents[1] / "exps"
    files = {path.stem for path in list_experiments().values() if path.parent == folder}
    for name in sorted(files):
        exp = load_exp(name=name)
        for row in exp.rows:
            yield Line(name, row, load_exp(name=name, overrides=exp.parse(row.words.split())))


def page(all_lines: list[Line]) -> str:
    """The whole page."""
    sizes: dict[Any, tuple[float, float]] = {}

    def size_of(line: Line) -> tuple[float, float]:
        key = (line.key, line.size)
        if key not in sizes:
            # Which boxes become proposals depends on values, which networks without memory lack.
            model = line.network("cpu" if isinstance(line.exp, RcnnExp) else "meta")
            sizes[key] = (parameters(model), count_flops(model, line.size) / 1e9)
        return sizes[key]

    rows = []
    for line in all_lines:
        params, flops = size_of(line)
        words = " ".join(["-n", line.name, *line.row.words.split()])
        score = f"{line.row.published} ({line.row.source})" if line.row.published else "-"
        rows.append([
            f"`{words}`", f"{params:.2f}", f"{flops:.2f}", "{}x{}".format(*line.size),
            line.classes, score, line.row.ours,
        ])  # fmt: skip
    header = ["command", "M parameters", "GFLOPs", "at, px", "classes", "published", "ours"]
    table = tabulate(rows, headers=header, tablefmt="github", disable_numparse=True)
    return f"{HEAD}{table}\n{TAIL}"


def parameters(model: torch.nn.Module) -> float:
    """In millions."""
    return sum(p.numel() for p in model.parameters()) / 1e6


if __name__ == "__main__":
    PAGE.write_text(page(list(lines())), encoding="utf-8")
