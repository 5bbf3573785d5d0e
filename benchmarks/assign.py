"""Time and memory of label assignment, against a dense form image by image.

    python benchmarks/assign.py                     # everything, on the CPU (some minutes)
    python benchmarks/assign.py --device cuda --step
    python benchmarks/assign.py --quick             # the main table only

Prints tables and writes ``benchmarks/results/assign_<device>.json`` with the versions, the
machine and the date. Times are the best of several runs, on one CPU thread (CPU time), so
that other work on the machine counts little; memory is the peak of what the call allocates itself,
its input not counted.
"""

from __future__ import annotations

import argparse
import gc
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from dense_ota import dense_ota
from measure import RESULTS, Row, clock_of, environment, show, wait, write_results
from scenes import SceneSpec, make_scene
from torch.profiler import ProfilerActivity, profile

from otadet.assign import (
    ATSS,
    OTA,
    PAA,
    TAL,
    Assigner,
    Exact,
    FCOSAssigner,
    MaxIoU,
    Newton,
    SimOTA,
    Sinkhorn,
)
from otadet.types import Predictions, Target

MAIN = {
    "640 px, 10 objects, 80 classes": SceneSpec(objects=10),
    "640 px, 30 objects, 80 classes": SceneSpec(objects=30),
    "640 px, 35 objects, 80 classes": SceneSpec(objects=35),
    "640 px, 100 objects, 80 classes": SceneSpec(objects=100),
    "640 px, 300 objects, 80 classes": SceneSpec(objects=300),
    "800 px, 100 overlapping, 80 classes": SceneSpec(800, 100, 80, crowded=True),
    "640 px, 90 overlapping, 1 class": SceneSpec(640, 90, 1, crowded=True),
    "640 px, 150 overlapping, 1 class": SceneSpec(640, 150, 1, crowded=True),
}
GROWTH = {
    "objects": [replace(SceneSpec(), objects=n) for n in (10, 30, 100, 300, 1000)],
    "points": [replace(SceneSpec(), size=s) for s in (320, 640, 1280, 1920)],
    "classes": [replace(SceneSpec(), classes=c) for c in (1, 20, 80, 365)],
    "batch": [replace(SceneSpec(), batch=b) for b in (1, 4, 16)],
}
WANTED = {  # DESIGN, section 7
    "640 px, 35 objects, 80 classes": 200,
    "800 px, 100 overlapping, 80 classes": 120,
    "640 px, 90 overlapping, 1 class": 60,
}


def best_ms(call: Callable[[], object], device: str, budget_s: float = 1.5) -> float:
    """Shortest of as many runs as fit the budget, at least two, after one to warm up."""
    clock = clock_of(device)
    times: list[float] = []
    end = time.perf_counter() + budget_s
    call()
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 200):
        wait(device)
        start = clock()
        call()
        wait(device)
        times.append(clock() - start)
    return min(times) * 1e3


def peak_mb(call: Callable[[], object], device: str) -> float:
    """Most bytes that the call holds at a time beyond what there was before."""
    gc.collect()
    if device == "cuda":
        wait(device)
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        wait(device)
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        call()
    assert record.profiler is not None
    assert record.profiler.kineto_results is not None
    events = [e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = top = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        top = max(top, held)
    return top / 1e6


def synchronisations(call: Callable[[], object]) -> int:
    """How often the call makes the host wait for the GPU."""
    call()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            call()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(w.message) for w in seen)


def _scene(spec: SceneSpec, device: str) -> tuple[Predictions, list[Target]]:
    preds, targets = make_scene(spec)
    if device == "cpu":
        return preds, targets
    assert preds.quality_logits is not None
    moved = Predictions(
        preds.boxes.to(device), preds.cls_logits.to(device), preds.quality_logits.to(device),
        preds.deltas.to(device), preds.points.to(device),
    )  # fmt: skip
    return moved, [t.to(device) for t in targets]


def main_table(device: str) -> list[Row]:
    """Fast against dense, and whether both say the same."""
    rows: list[Row] = []
    for name, spec in MAIN.items():
        preds, targets = _scene(spec, device)
        ota, newton = OTA(), OTA(match=Newton())
        fast = best_ms(lambda: ota(preds, targets), device)  # noqa: B023
        converged = best_ms(lambda: newton(preds, targets), device)  # noqa: B023
        dense = best_ms(lambda: dense_ota(preds, targets), device, 0.1)  # noqa: B023
        memory = peak_mb(lambda: ota(preds, targets), device)  # noqa: B023
        dense_memory = peak_mb(lambda: dense_ota(preds, targets), device)  # noqa: B023
        got, wanted = ota(preds, targets).gt_index, dense_ota(preds, targets)
        rows.append({
            "scene": name, "OTA ms": fast, "Newton ms": converged, "dense ms": dense,
            "times faster": dense / fast, "wanted": WANTED.get(name),
            "OTA MB": memory, "dense MB": dense_memory, "times less": dense_memory / memory,
            "points that differ": int((got != wanted).sum()),
        })  # fmt: skip
    return rows


def growth_table(device: str) -> list[Row]:
    """How time and memory grow with one thing at a time."""
    rows: list[Row] = []
    ota = OTA()
    for what, specs in GROWTH.items():
        for spec in specs:
            preds, targets = _scene(spec, device)
            call = lambda: ota(preds, targets)  # noqa: B023, E731
            value = len(preds.points) if what == "points" else getattr(spec, what)
            rows.append({"grows": what, "value": value, "ms": best_ms(call, device, 0.7),
                         "MB": peak_mb(call, device)})  # fmt: skip
    return rows


def solver_table(device: str) -> list[Row]:
    """What the solvers reach in crowds."""
    rows: list[Row] = []
    matchers = {
        "Sinkhorn, 50 iterations": Sinkhorn(), "Sinkhorn, to 1e-3": Sinkhorn(0.1, 20_000, 1e-3),
        "Newton": Newton(), "Exact": Exact(),
    }  # fmt: skip
    for name, spec in MAIN.items():
        if not spec.crowded:
            continue
        preds, targets = _scene(spec, device)
        for matcher, match in matchers.items():
            assigner = OTA(match=match)
            report = assigner.explain(preds, targets, gap=True)
            assert report.gap is not None
            rows.append({
                "scene": name, "matcher": matcher,
                "ms": best_ms(lambda: assigner(preds, targets), device, 0.5),  # noqa: B023
                "iterations": int(report.iterations[0]),
                "largest |received - supply|": float(report.marginal_error[0]),
                "supply": float(report.supply[0].sum()),
                "positives": int(report.positives[0].sum()),
                "cost above optimum": float(report.gap[0]),
            })  # fmt: skip
    return rows


def assigner_table(device: str) -> list[Row]:
    """All assigners on one ordinary batch."""
    preds, targets = _scene(SceneSpec(batch=4), device)
    assigners: dict[str, Assigner] = {
        "OTA": OTA(), "OTA.short": OTA.short(), "OTA.paper": OTA.paper(), "SimOTA": SimOTA(),
        "SimOTA.short": SimOTA.short(), "SimOTA.union": SimOTA.union(), "ATSS": ATSS(),
        "FCOSAssigner": FCOSAssigner(), "MaxIoU": MaxIoU(), "PAA": PAA(), "TAL": TAL(),
    }  # fmt: skip
    rows: list[Row] = []
    for name, assigner in assigners.items():
        call = lambda: assigner(preds, targets)  # noqa: B023, E731
        row: Row = {"assigner": name, "ms for 4 images": best_ms(call, device),
                    "MB": peak_mb(call, device)}  # fmt: skip
        if device == "cuda":
            row["synchronisations"] = synchronisations(call)
        rows.append(row)
    return rows


def step_table(device: str) -> list[Row]:
    """Assignment as a share of a training step of torchvision's FCOS-R50."""
    from torchvision.models.detection import fcos_resnet50_fpn

    batch, size = (16, 800) if device == "cuda" else (1, 640)
    network = fcos_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=80, min_size=size, max_size=size
    ).to(device)
    images = [torch.rand(3, size, size, device=device) for _ in range(batch)]
    spec = SceneSpec(size=size, batch=batch)
    preds, targets = _scene(spec, device)
    wanted = [{"boxes": t.boxes, "labels": t.labels} for t in targets]

    def step() -> None:
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            losses = network(images, wanted)
        sum(losses.values()).backward()
        network.zero_grad()

    preds = replace(preds, cls_logits=preds.cls_logits.bfloat16()) if device == "cuda" else preds
    whole = best_ms(step, device, 5.0)
    rows: list[Row] = []
    for name, assigner in {"OTA": OTA(), "OTA, Newton": OTA(match=Newton())}.items():
        own = best_ms(lambda: assigner(preds, targets), device)  # noqa: B023
        rows.append({"assigner": name, "images": batch, "px": size, "step ms": whole, "ms": own,
                     "share": f"{own / whole:.2%}"})  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1, help="threads of the CPU")
    parser.add_argument("--quick", action="store_true", help="the main table only")
    parser.add_argument("--step", action="store_true", help="also a training step of FCOS-R50")
    parser.add_argument("--output", type=Path, help="folder of the JSON file")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tables = {"main": main_table}
    if not args.quick:
        tables |= {"growth": growth_table, "solvers": solver_table, "assigners": assigner_table}
    if args.step:
        tables["step"] = step_table
    found: dict[str, list[Row]] = {}
    for name, make in tables.items():
        found[name] = make(args.device)
        show(f"{name}: {(make.__doc__ or '').strip()}", found[name])
    folder = args.output or RESULTS
    write_results(folder / f"assign_{args.device}.json", environment(args.device), found)


if __name__ == "__main__":
    main()
