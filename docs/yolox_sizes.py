"""Tables of ``docs/yolox.md``: parameters and operations of every size, with either head.

    python docs/yolox_sizes.py

Prints the tables and writes ``docs/assets/yolox_sizes.json``. One forward pass of each network on
the CPU, a minute in all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tabulate import tabulate
from torch import nn

from otadet.exp import load_exp
from otadet.exp.yolox import YoloxExp
from otadet.models import profile_model

SIZES = ("yolox_nano", "yolox_tiny", "yolox_s", "yolox_m", "yolox_l", "yolox_x", "yolov3")
CLASSES = 80


def millions(module: nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


def size_row(name: str) -> dict[str, Any]:
    exp = load_exp(name=name)
    assert isinstance(exp, YoloxExp)
    model = exp.build_model(CLASSES)
    whole = profile_model(model, exp.test_size)
    return {
        "network": name, "width": exp.width, "depth": exp.depth, "px": exp.test_size[0],
        "backbone M": millions(model.backbone), "neck M": millions(model.neck),
        "head M": millions(model.head), "parameters M": whole.params / 1e6,
        "GFLOPs": whole.thop_gflops,
    }  # fmt: skip


def head_row(name: str, decoupled: dict[str, Any]) -> dict[str, Any]:
    exp = load_exp(name=name, overrides={"head": "coupled"})
    model = exp.build_model(CLASSES)
    whole = profile_model(model, exp.test_size)
    return {
        "network": name,
        "head M, coupled": millions(model.head), "head M, decoupled": decoupled["head M"],
        "parameters M, coupled": whole.params / 1e6,
        "parameters M, decoupled": decoupled["parameters M"],
        "GFLOPs, coupled": whole.thop_gflops, "GFLOPs, decoupled": decoupled["GFLOPs"],
        "operations of decoupling": 1 - whole.thop_gflops / decoupled["GFLOPs"],
    }  # fmt: skip


def main() -> None:
    sizes = [size_row(name) for name in SIZES]
    heads = [head_row(row["network"], row) for row in sizes]
    for rows in (sizes, heads):
        print(tabulate(rows, headers="keys", tablefmt="github", floatfmt=".2f"), "\n")
    path = Path(__file__).parent / "assets" / "yolox_sizes.json"
    path.write_text(json.dumps({"sizes": sizes, "heads": heads}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
