"""The detectors that OTA is compared with on CrowdHuman (Ge et al. 2021, Table 6), 30 epochs.

    python tools/train.py -f exps/crowdhuman_r50.py -d 8 -b 16 --fp16
    python tools/train.py -f exps/crowdhuman_r50.py -d 8 -b 16 --fp16 method=lla

Expected on CrowdHuman val: MR 55.0 for FCOS; 58.8 for RetinaNet, 51.3 for FreeAnchor, 49.5 for
ATSS, 52.2 for PAA, 47.9 for LLA, whose settings are in docs/experiments.md. Faster R-CNN is
faster_rcnn_crowdhuman_r50. Ours: not yet measured.
"""

from otadet.exp.crowdhuman import CrowdHumanExp
from otadet.exp.recipe import Row


class CrowdhumanR50(CrowdHumanExp):
    method = "fcos"
    quality = "centerness"
    rows = (
        Row("", "MR 55.0, AP 86.4, recall 94.1", "OTA, Table 6 (FCOS)"),
        Row(
            "method=retinanet head=retinanet quality=none",
            "MR 58.8, AP 81.0, recall 88.2",
            "OTA, Table 6 (RetinaNet)",
        ),
        Row(
            "method=freeanchor head=retinanet",
            "MR 51.3, AP 83.9, recall 89.8",
            "OTA, Table 6 (FreeAnchor)",
        ),
        Row("method=atss", "MR 49.5, AP 87.4, recall 94.2", "OTA, Table 6 (ATSS)"),
        Row(
            "method=paa head=retinanet quality=iou",
            "MR 52.2, AP 86.0, recall 92.0",
            "OTA, Table 6 (PAA)",
        ),
        Row("method=lla quality=iou", "MR 47.9, AP 88.0, recall 94.0", "OTA, Table 6 (LLA)"),
    )
