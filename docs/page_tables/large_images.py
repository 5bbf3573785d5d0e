"""Tables of docs/detecting.md: large images."""

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


@table
def tiles_trained() -> str:
    """Small objects resized, in tiles, trained on tiles, and in tiles by sahi."""
    keys = ("AP", "AP50", "APs", "APm")
    found = results("tiles_trained")["tables"]
    tile = found["training"][1]["tile"]
    names = {
        "resized": "trained and detected resized to 640 px",
        "tiles in inference": f"the same weights in tiles of {tile} px",
        "tiles in both": f"trained and detected in tiles of {tile} px (`tile_whole=false`)",
        "tiles in both and the whole image": "and the whole image (default)",
        "sahi": "these weights by `sahi`, its default merging",
        "sahi, NMS": "these weights by `sahi`, NMS",
    }
    ours = next(r["seconds an image"] for r in found["rows"] if r["how"] == "tiles in both")
    rows = [
        [
            names[r["how"]], *(three(r[key]) for key in keys), rounded(r["seconds an image"], 1),
            rounded(r["seconds an image"] / ours, 2),
        ]
        for r in found["rows"]
    ]  # fmt: skip
    return markdown(["3,000 x 2,000 px", *keys, "seconds an image", "time ratio"], rows)


@table
def large_image() -> str:
    """Peak memory and time with one image that memory should not hold."""
    rows = [
        [r["task"], r["file"], f"{r['peak memory, MiB']:,}", rounded(r["CPU seconds"], 0)]
        for r in results("large_image")["tables"]["rows"]
    ]
    return markdown(["20,000 x 20,000 px", "file", "peak memory, MiB", "CPU seconds"], rows)
