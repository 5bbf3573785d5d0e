"""Write every table of measured figures in README.md and docs/ from the JSON of the benchmarks.

    python docs/make_tables.py            # rewrite what stands between the markers
    python docs/make_tables.py --check    # exit code 1 where a page differs

A page says where a table goes, and the function of that name below makes it:

    <!-- table: finetune -->
    <!-- end -->

The JSON files are ``benchmarks/results/*.json`` and ``docs/assets/*.json``, written by the
benchmark or script that the page names.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
Cells = Sequence[object]
TABLES: dict[str, Callable[[], str]] = {}


def table(make: Callable[[], str]) -> Callable[[], str]:
    """Register a function that makes the table of its name."""
    TABLES[make.__name__] = make
    return make


def markdown(header: Cells, rows: Iterable[Cells]) -> str:
    """Format a table as GitHub and MyST read it."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def results(name: str) -> dict[str, Any]:
    """Read one file of ``benchmarks/results``."""
    found: dict[str, Any] = json.loads((ROOT / f"benchmarks/results/{name}_cpu.json").read_text())
    return found


def asset(name: str) -> dict[str, Any]:
    """Read one JSON file of ``docs/assets``."""
    found: dict[str, Any] = json.loads((ROOT / f"docs/assets/{name}.json").read_text())
    return found


def runs(name: str, key: str = "row") -> dict[str, dict[str, Any]]:
    """Rows of a file by name."""
    return {run[key]: run for run in results(name)["tables"]["runs"]}


def rounded(value: float, digits: int) -> str:
    """Format a number, halves of the decimal that the file holds away from zero."""
    number = Decimal(repr(round(value, 6)))  # 100 * 0.2835 is 28.349999999999998
    return str(number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def three(value: float) -> str:
    """Format a score."""
    return rounded(value, 3)


def percent(value: float) -> str:
    """Format a share as a score of 0 to 100."""
    return rounded(100 * value, 1)


# README.md


def _mean(method: str, of: str, key: str) -> str:
    rows = results("methods")["tables"]["runs"]
    found = [r[key] for r in rows if (r["set"], r["method"]) == (of, method)]
    return three(statistics.mean(found))


@table
def cases() -> str:
    """README: which command for which data, and what it reached."""
    tuned, nano = runs("finetune"), "-n finetune_nano -c yolox_nano -d cpu"
    cells, dense = tuned["bccd_simota"], tuned["nuclei_simota"]

    def scores(run: dict[str, Any]) -> str:
        return f"AP50 {three(run['AP50'])}, AP {three(run['AP'])} in {run['seconds']} s of one core"

    return markdown(
        ["your case", "options", "measured"],
        [
            ["a few hundred images, no GPU",
             f"`{nano} {cells['settings']}`", f"BCCD: {scores(cells)}"],
            ["hundreds of objects an image",
             f"`{nano} {dense['settings']}`", f"nuclei: {scores(dense)}"],
            ["random weights instead of published ones",
             "`-n ota_fcos_r18 -d cpu -b 8 max_epochs=12`", ours("ota_fcos_r18")],
            ["thousands of images, a GPU", "`-n yolox_s -c yolox_s -d 1 -b 16 --fp16`",
             f"{ours('yolox_s')}; published on COCO: AP {published('yolox_s')}"],
            ["the paper's recipe on COCO, 8 GPUs", "`-n ota_fcos_r50 -d 8 -b 16 --fp16`",
             f"{ours('ota_fcos_r50')}; published: AP {published('ota_fcos_r50')}"],
        ],
    )  # fmt: skip


def ours(name: str) -> str:
    """Score of an experiment measured here, from its own file."""
    from otadet.exp import load_exp  # torch takes seconds

    text = load_exp(name=name).rows[0].ours
    return re.sub(r"(AP\d*) (\d\d)\b", r"\1 0.\2", text)


def published(name: str) -> str:
    """Score of an experiment as published, from its own file."""
    from otadet.exp import load_exp

    return f"{float(load_exp(name=name).rows[0].published.split(' / ')[0]) / 100:.3f}"


@table
def which_assigner() -> str:
    """README: assigners with their scores under one network and one recipe."""
    rows = [
        ["`simota`", "your own data, first choice"],
        ["`ota_image_k`", "crowds of small objects; OTA with SimOTA's k"],
        ["`ota`", "long schedules as in the paper; when you want its plan explained"],
        ["`ota_newton`", "OTA whose plan must be exact: every object gets its supply"],
        ["`atss`, `fcos`", "baselines for a comparison; set `anchor_scale` for ATSS"],
    ]

    def pair(name: str, key: str) -> str:
        return ", ".join(_mean(n, key, "AP") for n in re.findall(r"`(\w+)`", name))

    return markdown(
        ["`method=`", "use it for", "BCCD AP, 400 steps", "crowd AP, 200 steps"],
        [[name, use, pair(name, "bccd"), pair(name, "crowd")] for name, use in rows],
    )


@table
def measured() -> str:
    """README: speed and exactness, each with the benchmark that measured it."""
    scenes = {r["scene"]: r for r in results("assign")["tables"]["main"]}
    ordinary = scenes["640 px, 35 objects, 80 classes"]
    crowd = scenes["800 px, 100 overlapping, 80 classes"]
    steps = {(r["network"], r["px"]): r for r in results("train_step")["tables"]["steps"]}
    nano, small = steps["yolox_nano", 416], steps["yolox_s", 416]
    mosaic = [r["times"] for r in results("data")["rows"] if r["recipe"] == "mosaic"]
    nets = {
        (r["network"], r["batch"], r["who"]): r["ms_an_image"]
        for r in results("infer")["tables"]["networks"]
    }
    forms = results("export")["tables"]["forms"]
    passed, equal = sum(f["passed"] for f in forms), sum(f["equal"] for f in forms)
    infer = nets["yolox_nano", 1, "pixeltable-yolox"] / nets["yolox_nano", 1, "otadet fused"]
    return markdown(
        ["what", "result", "command"],
        [
            ["OTA's assignment beside its dense form, 35 objects",
             f"{ordinary['OTA ms']:.1f} ms for {ordinary['dense ms']:,.0f} ms "
             f"({ordinary['times faster']:.0f}x)", "`python benchmarks/assign.py`"],
            ["the same, 100 overlapping objects at 800 px",
             f"{crowd['OTA ms']:.1f} ms for {crowd['dense ms']:,.0f} ms "
             f"({crowd['times faster']:.0f}x)", "`python benchmarks/assign.py`"],
            ["assignment's share of a training step",
             f"YOLOX-nano {nano['assignment'].split()[0]}, YOLOX-s "
             f"{small['assignment'].split()[0]} (416 px)", "`python benchmarks/train_step.py`"],
            ["training step beside `pixeltable-yolox`",
             f"YOLOX-nano {nano['ratio']:.2f}x as fast, YOLOX-s {small['ratio']:.2f}x (416 px)",
             "`python benchmarks/train_step.py`"],
            ["mosaic images a second and core beside the same",
             f"{min(mosaic):.1f} to {max(mosaic):.1f}x as many", "`python benchmarks/data.py`"],
            ["inference beside the same, YOLOX-nano fused",
             f"{infer:.1f}x as fast", "`python benchmarks/infer.py`"],
            ["exported files that equal torch",
             f"{passed} of {len(forms)} forms, {equal:,} detections",
             "`python benchmarks/export_variants.py`"],
        ],
    )  # fmt: skip


# docs/finetuning.md, docs/tta.md, docs/doctor.md


@table
def finetune() -> str:
    """Fine-tuning on one core."""
    found = runs("finetune")
    data = {
        "bccd_simota": ["BCCD, 292 images, 256 x 320 px", "SimOTA"],
        "bccd_ota": ["BCCD", "OTA"],
        "nuclei_simota": ["nuclei, 531 images, 320 x 320 px", "SimOTA"],
        "nuclei_ota": ["nuclei", "OTA"],
    }
    rows = [
        [*words, found[name]["epochs"], three(found[name]["AP"]), three(found[name]["AP50"]),
         found[name]["seconds"]] for name, words in data.items()
    ]  # fmt: skip
    return markdown(["data", "assigner", "epochs", "AP", "AP50", "seconds"], rows)


@table
def finetune_choices() -> str:
    """What each choice of finetune_nano is worth."""
    found = runs("finetune")
    words = {
        "bccd_simota": "nothing",
        "bccd_sgd": "AdamW (SGD, YOLOX's rates)",
        "bccd_no_mosaic": "mosaic (whole images only)",
        "bccd_last_phase": "mosaic to the end (last 5 epochs whole images and L1, as in YOLOX)",
    }
    rows = [
        [text, three(found[n]["AP"]), three(found[n]["AP50"]), three(found[n]["AP_last"])]
        for n, text in words.items()
    ]
    return markdown(["left out", "best AP", "AP50", "AP at the end"], rows)


_PASSES = {"none": "plain", "flip": "`tta=flip`", "three": "`tta_scales=640:-,800,1000`",
           "atss": "`tta=atss`"}  # fmt: skip


def _tta(network: str, keys: Sequence[str]) -> list[Cells]:
    rows = [r for r in results("tta")["tables"]["evaluations"] if r["network"] == network]
    return [[r["passes"], _PASSES[r["row"]], *(percent(r[k]) for k in keys)] for r in rows]


@table
def tta_nano() -> str:
    """Test-time augmentation of YOLOX-nano on COCO images."""
    keys = ("AP", "AP50", "AP75", "APs", "APm", "APl")
    rows = [r for r in results("tta")["tables"]["evaluations"] if r["network"] == "yolox_nano"]
    times = [f"{r['times_plain']:g}" for r in rows]
    return markdown(
        ["passes", "", "AP", "AP50", "AP75", "small", "medium", "large", "times a plain pass"],
        [[*row, t] for row, t in zip(_tta("yolox_nano", keys), times)],
    )


@table
def tta_fcos() -> str:
    """Test-time augmentation of a network that has seen one size."""
    rows = _tta("ota_fcos_r18", ("AP", "AP50", "AP75"))
    return markdown(["passes", "", "AP", "AP50", "AP75"], rows)


@table
def doctor_time() -> str:
    """CPU time of the doctor."""
    found = results("doctor")
    words = {
        "all that train.py runs": "what `train.py` runs",
        "all of --quick": "`--quick`, with the contested points",
        "otadet's reader": "the reader alone",
        "pycocotools COCO(), loads only": "`pycocotools.COCO`, which checks nothing",
    }
    rows = [[text, f"{found['seconds'][key]:.1f}"] for key, text in words.items()]
    return markdown([f"{found['annotations']:,} annotations, {found['pictures']:,} images",
                     "CPU seconds"], rows)  # fmt: skip


# docs/assignment.md


@table
def one_part() -> str:
    """OTA with one part of SimOTA at a time."""
    keys = ["positives an object", "points that change", "positives shared",
            "objects without a point"]  # fmt: skip
    rows = [
        [r["assigner"], f"{r[keys[0]]:.2f}", *(r[k] for k in keys[1:])]
        for r in asset("assignment")["one_part_at_a_time"]
        if not r["assigner"].startswith("SimOTA with") or r["assigner"].endswith("match")
    ]
    header = ["assigner", *keys[:2], "positives shared with OTA", keys[3]]
    return markdown(header, rows)


@table
def center_rules() -> str:
    """Good predictions that each rule uses."""
    keys = ("used as positives", "ignored", "positives", "of which good")
    rows = [[r["rule"], *(r[k] for k in keys)] for r in asset("assignment")["ignored_predictions"]]
    return markdown(["rule", *keys], rows)


@table
def methods() -> str:
    """Every method under one network."""
    rows = results("methods")["tables"]["runs"]
    names = sorted({r["method"] for r in rows if r["set"] == "bccd"})
    cells = [
        [f"`{name}`", *(_mean(name, of, key) for of in ("bccd", "crowd") for key in ("AP", "AP50"))]
        for name in names
    ]
    cells.sort(key=lambda row: row[1], reverse=True)
    return markdown(["method", "BCCD AP", "AP50", "crowd AP", "AP50"], cells)


@table
def assign_speed() -> str:
    """OTA and Newton beside the dense form."""
    rows = [
        [r["scene"], f"{r['OTA ms']:.1f}", f"{r['Newton ms']:.1f}", f"{r['dense ms']:,.0f}",
         f"{r['times faster']:.0f}x",
         f"{r['OTA MB']:.1f} / {r['dense MB']:,.0f} ({r['times less']:.0f}x)",
         r["points that differ"]] for r in results("assign")["tables"]["main"]
    ]  # fmt: skip
    return markdown(
        ["scene", "OTA", "Newton", "dense", "faster", "memory: OTA / dense", "points that differ"],
        rows,
    )


# docs/crowds.md


def _crowd(method: str, key: str, seed: int | None = None) -> str:
    rows = [r for r in results("crowd")["tables"]["runs"] if r["method"] == method]
    found = [r[key] for r in rows if seed in (None, r["seed"])]
    text = three(statistics.mean(found))
    return text if len(found) == 1 else f"{text} ± {statistics.stdev(found):.3f}"


_CROWD = {"MR": "MR", "CrowdHumanAP": "AP", "JI": "JI", "CrowdHumanRecall": "recall",
          "AP": "COCO's AP"}  # fmt: skip
_METHODS = ("OTA", "OTA, converged", "SimOTA", "ATSS", "FCOS")


@table
def crowd() -> str:
    """CrowdHuman's metrics, mean and deviation of the seeds."""
    rows = [[m, *(_crowd(m, key) for key in _CROWD)] for m in _METHODS]
    return markdown(["method", *_CROWD.values()], rows)


@table
def crowd_bins() -> str:
    """AP by overlap with the nearest neighbour."""
    bins = {"0": "0", "0-0.2": "0 to 0.2", "0.2-0.4": "0.2 to 0.4", "0.4-0.6": "0.4 to 0.6",
            "0.6-1": "over 0.6"}  # fmt: skip
    rows = [[m, *(_crowd(m, f"AP_crowd_{key}") for key in bins)] for m in _METHODS]
    return markdown(["method", *bins.values()], rows)


@table
def crowd_parts() -> str:
    """OTA with one part of SimOTA, seed 0."""
    names = ["OTA", *(f"OTA, SimOTA's {p}" for p in ("prior", "cost", "supply")), "SimOTA"]
    rows = [[m, *(_crowd(m, key, seed=0) for key in _CROWD)] for m in names]
    return markdown(["seed 0", *_CROWD.values()], rows)


# docs/deploy.md


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


def pages() -> list[Path]:
    """Every page that may hold a table."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def written(text: str) -> str:
    """A page's text with every table made anew."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{TABLES[m[2]]()}\n{m[3]}", text)


def main() -> None:
    """Rewrite the pages, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit 1 on a difference"
    )
    check = parser.parse_args().check
    stale = []
    for page in filter(Path.exists, pages()):
        text = page.read_text()
        if (fresh := written(text)) != text:
            stale.append(page)
            if not check:
                page.write_text(fresh)
    for page in stale:
        print(f"{page.relative_to(ROOT)}: {'differs from' if check else 'written from'} the JSON")
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
