"""Time of a training step beside rivals, on the same network, images and targets.

    python benchmarks/train_step.py --data ../shared/data/coco256     # some minutes, on the CPU
    python benchmarks/train_step.py --device cuda --precision fp16 --batch 32 --fcos-size 800
    python benchmarks/train_step.py --only yolox_nano --sizes 320 --batch 16

YOLOX's networks beside ``pixeltable-yolox``, FCOS beside torchvision's (contenders.py says what
each needs). Both take their steps in turn in one run, so that other work on the machine is shared,
and the table holds medians in ms. ``ratio`` is the rival's time over otadet's, step by step; that
of the shortest steps says more on a busy machine. Shares are of otadet's step and then, in
brackets, of the rival's. With ``--threads 1`` it is CPU time.
Without ``--data`` (a folder with ``annotations/val.json`` and ``images``) scenes are made up.
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from pathlib import Path

import torch
from contenders import CLASSES, PHASES, Contender, Ours, PixeltableYolox, TorchvisionFcos
from measure import RESULTS, Row, environment, package, show, write_results
from scenes import SceneSpec, make_scene

from otadet.data import CocoDataset, collate, transforms
from otadet.engine.devices import memory_layout
from otadet.engine.precision import Precision
from otadet.exp import Exp, load_exp
from otadet.geometry import Geometry
from otadet.rng import generator
from otadet.types import Batch

LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
YOLOX = ("yolox_nano", "yolox_tiny", "yolox_s")
FCOS = ("ota_fcos_r18", "ota_fcos_r50")
SAME_FCOS = {
    "fpn_channels": 256, "head_width": 256, "head_convs": 4, "optimizer": "sgd",
    "weight_decay": 1e-4,
}  # fmt: skip
"""torchvision's network and optimizer, where an experiment has others."""
YOLOX_PACKAGE = "pixeltable-yolox"
WARMUP = 1


def real_batch(folder: Path, size: int, count: int) -> Batch:
    """The first images of a data set, letterboxed."""
    data = CocoDataset(folder, "annotations/val.json", "images")
    resize = transforms.Letterbox((size, size))
    return collate([resize(data.load(i), generator(0)) for i in range(count)])


def generated_batch(size: int, count: int) -> Batch:
    """Noise, with ten objects an image."""
    _, targets = make_scene(SceneSpec(size, 10, CLASSES, batch=count))
    images = torch.randint(256, (count, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    frames = (Geometry.identity((size, size)),) * count
    return Batch(images, tuple(targets), frames, tuple(range(count)))


def contenders(name: str, batch: Batch, args: argparse.Namespace) -> list[Contender]:
    """Otadet and the rival of a network."""
    precision = Precision(args.precision, args.device)
    exp: Exp = load_exp(name=name, overrides=SAME_FCOS if name in FCOS else {})
    own = memory_layout(torch.device(args.device), exp.cpu_layout)
    mine = LAYOUTS[args.layout] if args.layout else own
    rival = partial(TorchvisionFcos, exp) if name in FCOS else partial(PixeltableYolox, name)
    return [
        Ours(exp, batch, precision, mine, args.compile),
        rival(batch, precision, LAYOUTS[args.rival_layout], args.compile),
    ]


def race(name: str, size: int, args: argparse.Namespace) -> Row:
    """The row of a network and a size."""
    torch.manual_seed(0)
    batch = (
        real_batch(args.data, size, args.batch) if args.data else generated_batch(size, args.batch)
    )
    pair = contenders(name, batch, args)
    for _ in range(WARMUP + args.repeats):
        for contender in pair:
            contender.step()
    ours, rival = (c.clock for c in pair)
    mine, theirs = (c.median_ms("step", WARMUP) for c in (ours, rival))
    ratios = [b / a for a, b in zip(ours.seconds["step"], rival.seconds["step"])]
    row: Row = {
        "network": name, "px": size, "batch": args.batch, "rival": pair[1].name,
        "otadet ms": mine, "rival ms": theirs, "ratio": statistics.median(ratios[WARMUP:]),
        "ratio of the shortest": rival.best_ms("step", WARMUP) / ours.best_ms("step", WARMUP),
    }  # fmt: skip
    for phase in PHASES:
        a, b = ours.median_ms(phase, WARMUP), rival.median_ms(phase, WARMUP)
        row[phase] = f"{a / mine:.1%} ({b / theirs:.1%})"
        row[f"{phase} ms"] = [a, b]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=2, help="threads of the CPU (2)")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--layout", choices=list(LAYOUTS),
                        help="otadet's; default: the trainer's")  # fmt: skip
    parser.add_argument("--rival-layout", default="contiguous", choices=list(LAYOUTS),
                        help="the rivals' trainers know only contiguous")  # fmt: skip
    parser.add_argument("--compile", action="store_true", help="torch.compile, also theirs")
    parser.add_argument("--batch", type=int, default=8, help="images a step (8)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[320, 416], help="YOLOX's, px")
    parser.add_argument("--fcos-size", type=int, nargs="+", default=[320], help="FCOS's, px")
    parser.add_argument("--repeats", type=int, default=5, help="steps after the first (5)")
    parser.add_argument("--only", nargs="+", choices=[*YOLOX, *FCOS], help="these networks")
    parser.add_argument("--data", type=Path, help="folder of a COCO data set")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    record = {**environment(args.device), **{p: package(p) for p in ("torchvision", YOLOX_PACKAGE)}}
    for key in ("precision", "layout", "rival_layout", "compile", "repeats"):
        record[key] = getattr(args, key)
    record["pictures"] = args.data.name if args.data else "generated"
    rows: list[Row] = []
    for name in args.only or (*YOLOX, *FCOS):
        for size in args.fcos_size if name in FCOS else args.sizes:
            rows.append(race(name, size, args))
            show("steps", [{k: v for k, v in rows[-1].items() if not isinstance(v, list)}])
            # After each row, so that a run that is cut off leaves what it measured.
            write_results(args.output / f"train_step_{args.device}.json", record, {"steps": rows})


if __name__ == "__main__":
    main()
