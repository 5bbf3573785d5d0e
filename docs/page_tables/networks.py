"""Tables of docs/deploy.md and docs/yolox.md."""

from __future__ import annotations

import re
from typing import Any

from page_tables.base import Cells, asset, markdown, results, table


@table
def export_forms() -> str:
    """Exported files beside torch."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for form in results("export")["tables"]["forms"]:
        groups.setdefault((form["network"], form["size"]), []).append(form)
    rows: list[Cells] = []
    for (network, size), forms in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
        score = max(f["score"] for f in forms)
        found = sum(f["equal"] + f["tied"] + f["different"] for f in forms)
        rows.append([
            network, size, len(forms), f"{max(f['box_px'] for f in forms):.4f}",
            f"{score:.2e}" + ("" if all(f["passed"] for f in forms) else ", over the limit"),
            f"{sum(f['equal'] for f in forms):,} of {found:,}",
        ])  # fmt: skip
    header = ["network", "input, px", "forms", "boxes, px", "scores", "detections equal"]
    return markdown(header, rows)


@table
def infer_speed() -> str:
    """Milliseconds an image of networks and runtimes."""
    rows: list[Cells] = []
    who = ["otadet", "otadet fused", "otadet compiled", "otadet bf16", "otadet onnxruntime"]
    rivals = ["pixeltable-yolox", "torchvision"]
    for name in ("infer_320", "infer"):
        found: dict[tuple[str, int, int], dict[str, float]] = {}
        for r in results(name)["tables"]["networks"]:
            place = (r["network"], r["size"], r["batch"])
            found.setdefault(place, {})[r["who"]] = r["ms_an_image"]
        for (network, size, batch), ms in found.items():
            rival = next((f"{ms[r]:.1f} ({r})" for r in rivals if r in ms), "-")
            cells = [f"{ms[w]:.1f}" if w in ms else "-" for w in who]
            rows.append([network, size, batch, *cells, rival])
    return markdown(
        ["network", "px", "batch", "torch", "fused", "fused, compiled", "bf16", "onnxruntime",
         "rival"], rows,
    )  # fmt: skip


# docs/yolox.md


@table
def yolox_heads() -> str:
    """Coupled and decoupled heads."""
    rows = [
        [_size(r["network"]), f"{r['head M, coupled']:.2f}, {r['head M, decoupled']:.2f}",
         f"{r['GFLOPs, coupled']:.2f}, {r['GFLOPs, decoupled']:.2f}",
         f"{r['operations of decoupling']:.0%}"] for r in asset("yolox_sizes")["heads"]
    ]  # fmt: skip
    return markdown(
        ["network", "head, M parameters: coupled, decoupled", "GFLOPs: coupled, decoupled",
         "share of the operations"], rows,
    )  # fmt: skip


@table
def yolox_sizes() -> str:
    """Parameters and operations of every size."""
    rows = [
        [_size(r["network"]), *(("", "") if r["network"] == "yolov3" else
                                (f"{r['width']:g}", f"{r['depth']:g}")), r["px"],
         f"{r['backbone M']:.2f}, {r['neck M']:.2f}, {r['head M']:.2f}",
         f"{r['parameters M']:.2f}", f"{r['GFLOPs']:.2f}"] for r in asset("yolox_sizes")["sizes"]
    ]  # fmt: skip
    return markdown(
        ["network", "width", "depth", "px", "M parameters: backbone, neck, head", "in all",
         "GFLOPs"], rows,
    )  # fmt: skip


def _size(network: str) -> str:
    return {"yolox_nano": "nano (separable)", "yolov3": "Darknet-53"}.get(
        network, network.removeprefix("yolox_")
    )


@table
def train_step() -> str:
    """A training step beside rivals."""
    rows = [
        [r["network"], r["px"], r["rival"], f"{r['otadet ms']:.0f}", f"{r['rival ms']:.0f}",
         f"{r['ratio']:.2f}", re.sub(r" \((.*)\)", r", \1", r["assignment"])]
        for r in results("train_step")["tables"]["steps"]
    ]  # fmt: skip
    return markdown(
        ["network", "px", "rival", "otadet, ms", "rival, ms", "ratio",
         "assignment's share: otadet, rival"], rows,
    )  # fmt: skip
