"""Every form of ONNX file of several networks, compared with torch.

    python benchmarks/export_variants.py PICTURES [--weights yolox_nano_coco.pth] [--only nano]

YOLOX-nano has published weights where they are given; the FCOS networks have random ones whose
outputs are spread, so that scores lie apart and there are detections to compare. The table
"rounding" says how far torch and onnxruntime in float32 are from torch in float64.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from measure import RESULTS, Row, environment, package, show, write_results
from torch import Tensor

from otadet.data.coco_classes import COCO_CLASSES
from otadet.engine.checkpoint import load_weights
from otadet.engine.weights import open_weights
from otadet.exp import Exp, load_exp
from otadet.export import Dynamic, ExportOptions, ResizeRule, sample_batches, to_onnx, verify
from otadet.export.onnx_graph import Exporter
from otadet.export.session import as_input, open_session
from otadet.export.verify import SCORE_FLOOR
from otadet.media import image_files
from otadet.models import Detector
from otadet.models.detector import Normalize

FORMS = list(itertools.product(get_args(Dynamic), (False, True), (False, True)))
ENDS: list[tuple[Dynamic, bool, bool]] = [("none", False, False), ("all", True, True)]


@dataclass(frozen=True)
class Case:
    """A network, an input, an exporter, and the forms (dynamic, nms, uint8) to try."""

    network: str
    settings: dict[str, object]
    exporter: Exporter
    forms: list[tuple[Dynamic, bool, bool]]


def cases() -> list[Case]:
    small: dict[str, object] = {"test_size": (320, 320), "resize": "letterbox"}
    shortest: dict[str, object] = {"test_size": (320, 480), "resize": "shortest"}
    full: dict[str, object] = {"test_size": (800, 1333), "resize": "shortest"}
    return [
        Case("yolox_nano", {}, "torchscript", FORMS),
        Case("ota_fcos_r18", small, "torchscript", FORMS),
        Case("ota_fcos_r50", full, "torchscript", [("hw", True, False)]),
        Case("ota_fcos_r50", shortest, "torchscript", FORMS),
        Case("yolox_nano", {}, "dynamo", ENDS),
        Case("ota_fcos_r18", small, "dynamo", ENDS),
        Case("ota_fcos_r50", shortest, "dynamo", ENDS),
    ]


def network(exp: Exp, weights: Path | None) -> Detector:
    """Published weights, or random ones with outputs that differ from point to point."""
    model = exp.build_model(len(COCO_CLASSES)).eval()
    if weights is not None:
        load_weights(model, open_weights(str(weights), type(exp)))
        return model
    with torch.no_grad():
        for name in ("cls_out", "reg_out", "quality_out"):
            part = getattr(model.head, name)
            part.weight.normal_(std=0.1)
        model.head.cls_out.bias.fill_(-4.0)
    return model


def rows(case: Case, paths: list[Path], weights: Path | None) -> Iterator[Row]:
    torch.manual_seed(0)
    exp = load_exp(name=case.network, overrides={**case.settings, "backbone_weights": None}
                   if case.network.startswith("ota") else case.settings)  # fmt: skip
    model = network(exp, weights if case.network == "yolox_nano" else None)
    postprocess = exp.build_postprocess()
    for dynamic, nms, uint8 in case.forms:
        rule = ResizeRule(exp.resize, exp.test_size)
        options = ExportOptions(rule, dynamic, nms, uint8)
        begin = time.process_time()
        export = to_onnx(model, postprocess, options, case.exporter)
        took = time.process_time() - begin
        result = verify(export.model, model, postprocess, options, sample_batches(paths, options))
        found = result.detections
        yield {
            "network": case.network,
            "size": "x".join(map(str, options.size)),
            "exporter": export.exporter,
            "dynamic": dynamic,
            "nms": nms,
            "uint8": uint8,
            "passed": result.passed,
            "box_px": result.boxes,
            "score": result.scores,
            "equal": found.equal,
            "tied": found.tied,
            "different": found.different,
            "export_s": took,
        }


class DoubleNormalize(Normalize):
    """The same in float64."""

    def forward(self, images: Tensor) -> Tensor:
        """uint8 or float images ``[B, 3, H, W]`` to float64."""
        return (images.double() - self.mean) / self.std


@torch.no_grad()
def rounding_rows(name: str, paths: list[Path]) -> Iterator[Row]:
    """Largest differences from float64 over all points, of all scores and from the floor on."""
    torch.manual_seed(0)
    rule = ResizeRule("letterbox", (320, 480))
    exp = load_exp(name=name, overrides={"test_size": rule.size})
    model, postprocess, options = network(exp, None), exp.build_postprocess(), ExportOptions(rule)
    session = open_session(to_onnx(model, postprocess, options, "torchscript").model
                           .SerializeToString())  # fmt: skip
    exact = copy.deepcopy(model).double()
    exact.normalize = DoubleNormalize().double()
    for path, batch in zip(paths, sample_batches(paths, options)):
        reference, single = exact(batch.images), model(batch.images)
        scores = [
            (cls.sigmoid() * quality.sigmoid()[..., None]).sqrt()
            for cls, quality in ((p.cls_logits, p.quality_logits) for p in (reference, single))
        ]
        boxes, found = map(torch.from_numpy, session.run(
            ["boxes", "scores"], {"images": as_input(batch.images, uint8=False)}))  # fmt: skip
        for who, box, score in (("torch", single.boxes, scores[1]), ("file", boxes, found)):
            gaps = (score - scores[0]).abs(), (floored(score) - floored(scores[0])).abs()
            yield {
                "network": name, "picture": path.name, "who": who,
                "box_px": float((box - reference.boxes).abs().max()),
                "score": float(gaps[0].max()), "score_from_floor": float(gaps[1].max()),
            }  # fmt: skip


def floored(scores: Tensor) -> Tensor:
    return scores.clamp(min=SCORE_FLOOR)


def main() -> int:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("pictures", type=Path, help="folder to compare on")
    p.add_argument("--weights", type=Path, help="of YOLOX-nano on COCO")
    p.add_argument("--count", type=int, default=4, help="images of the folder (4)")
    p.add_argument("--only", default="", help="networks whose name has this in it")
    p.add_argument("-o", "--output", type=Path, default=RESULTS / "export_cpu.json")
    args = p.parse_args()
    paths = image_files(args.pictures, "pictures")[: args.count]
    about = {**environment("cpu"), "onnx": package("onnx"), "onnxruntime": package("onnxruntime")}
    rounding = [
        row for name in ("ota_fcos_r18", "ota_fcos_r50") if args.only in name
        for row in rounding_rows(name, paths)
    ]  # fmt: skip
    show("rounding", rounding)
    table: list[Row] = []
    for case in (c for c in cases() if args.only in c.network):
        for row in rows(case, paths, args.weights):
            table.append(row)
            print(row, flush=True)
            write_results(args.output, about, {"forms": table, "rounding": rounding})
    show("forms", table)
    return 0 if all(row["passed"] for row in table) else 1


if __name__ == "__main__":
    raise SystemExit(main())
