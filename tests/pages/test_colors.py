"""The colours of pages: contrast, and how far apart they are for every kind of colour vision."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import otadet.pages

STYLE = Path(otadet.pages.__file__).parent / "style.css"


def _colors(scheme: int) -> dict[str, str]:
    text = STYLE.read_text(encoding="utf-8")
    found = re.findall(r"--([a-z0-9]+): light-dark\((#\w{6}), (#\w{6})\)", text)
    return {name: pair[scheme] for name, *pair in found}


def _luminance(color: str) -> float:
    values = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def _contrast(first: str, second: str) -> float:
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_curves_stand_out_from_the_paper(scheme: int) -> None:
    """WCAG 2.1: text 4.5 to 1, curves 3 to 1."""
    colors = _colors(scheme)
    texts = ("ink", "soft", "accent", "error", "warning", "note", "good")
    curves = [f"c{i}" for i in range(8)]
    for ground in (colors["paper"], colors["raised"]):
        assert min(_contrast(colors[name], ground) for name in texts) >= 4.5
        assert min(_contrast(colors[name], ground) for name in ("bar", *curves)) >= 3


_DICHROMACY = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB."""


def _lab(color: str, kind: str) -> np.ndarray:
    values = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(_DICHROMACY[kind]) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.asarray(to_xyz) @ seen / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", _DICHROMACY)
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_curves_differ_for_every_kind_of_color_vision(kind: str, scheme: int) -> None:
    colors = _colors(scheme)
    labs = [_lab(colors[f"c{i}"], kind) for i in range(8)]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(labs) for b in labs[:i]]
    assert min(apart) > 17  # CIE76; 2.3 is just noticeable
