"""Forms of OTA and SimOTA that the study compares, by name."""

from __future__ import annotations

from dataclasses import replace

from otadet.assign import OTA, Assigner, BCECost, CenterBox, DynamicK, IoUCost, Newton, SimOTA

YOLOX_COST = BCECost() + 3.0 * IoUCost(clamp=0.0, add=1e-8)
"""What YOLOX's head is to be matched by; its class branch learns on positives only."""

QS = (2, 3, 5, 7, 10, 20)

VARIANTS: dict[str, Assigner] = {
    **{f"ota_q{q}": OTA(supply=DynamicK(q)) for q in QS},
    **{f"ota_image_q{q}": OTA(supply=DynamicK(q, over="image")) for q in QS},
    **{f"simota_q{q}": SimOTA(supply=DynamicK(q, over="image")) for q in QS},
    "ota_wide": OTA(prior=CenterBox(2.5, inside_box=False), supply=DynamicK(10, over="image")),
    "ota_near": OTA(prior=CenterBox(1.5, inside_box=False), supply=DynamicK(10, over="image")),
    "ota_near_newton": OTA(
        prior=CenterBox(1.5, inside_box=False),
        supply=DynamicK(10, over="image"),
        match=Newton(),
    ),
}


def variant(name: str, yolox: bool = False) -> Assigner:
    """Return a form by name; with ``yolox`` OTA's have YOLOX's cost, as SimOTA's do."""
    found = VARIANTS[name]
    return replace(found, cost=YOLOX_COST) if yolox and isinstance(found, OTA) else found
