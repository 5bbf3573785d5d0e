"""Table of docs/detecting.md: large images."""

from __future__ import annotations

from page_tables.base import markdown, results, rounded, table, three


@table
def tiles() -> str:
    """Large images resized, in tiles, and in tiles by sahi."""
    keys = ("AP", "AP50", "APs", "APm", "APl")
    names = {
        "resized to 416 px": "resized to 416 px",
        "tiles": "tiles (`tile_whole=false`)",
        "tiles and the whole image": "tiles and the whole image (default)",
        "sahi": "`sahi`, its default merging",
        "sahi, NMS": "`sahi`, NMS",
    }
    rows = [
        [names[r["how"]], *(three(r[key]) for key in keys), rounded(r["seconds an image"], 2)]
        for r in results("tiles")["tables"]["rows"]
    ]
    return markdown(["2,560 x 2,560 px", *keys, "seconds an image"], rows)
