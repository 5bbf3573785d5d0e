"""Draw k against the size of objects while a network learns: ``docs/assets/k_by_size.png``.

    python docs/k_by_size_figure.py

From ``benchmarks/results/k_by_size_cpu.json``, which ``benchmarks/k_by_size.py`` writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
COLORS = ("#0b5cad", "#5aa9e6", "#8a6d00", "#7b3294", "#d1495b")


def label(row: dict[str, Any]) -> str:
    """The size of a row's objects, as an axis has it."""
    low, high = row["from px"], row["to px"]
    return f"over {low}" if high > 1e6 else f"{low:g} to {high:g}"


def main() -> None:
    text = (ROOT / "benchmarks/results/k_by_size_cpu.json").read_text(encoding="utf-8")
    rows = json.loads(text)["tables"]["rows"]
    steps = sorted({row["step"] for row in rows})
    shown = [steps[0], steps[1], steps[len(steps) // 2], steps[-1]]
    forms = [*dict.fromkeys(row["form"] for row in rows)]
    sizes = [*dict.fromkeys(label(row) for row in rows)]
    figure, axes = plt.subplots(1, len(shown), figsize=(12, 3.4), sharey=True)
    for axis, step in zip(axes, shown):
        for form, color in zip(forms, COLORS):
            k = {label(r): r["k"] for r in rows if r["step"] == step and r["form"] == form}
            axis.plot(sizes, [k[size] for size in sizes], "o-", color=color, label=form, ms=4)
        axis.set_title(f"step {step}" if step else "before training", fontsize=10)
        axis.set_xlabel("size of objects, px")
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("points an object asks for (k)")
    axes[0].legend(fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(ROOT / "docs/assets/k_by_size.png", dpi=110)


if __name__ == "__main__":
    main()
