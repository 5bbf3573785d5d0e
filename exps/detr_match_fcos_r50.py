"""FCOS-R50 with DETR's one-to-one matching and its loss (Carion et al. 2020), without NMS.

    python tools/train.py -f exps/detr_match_fcos_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

The alternative to OTA with one point an object: class probability, 5 * L1 and 2 * GIoU over
all points of the image, by the Hungarian algorithm. FCOS experiments take it as ``method=detr``;
``nms_threshold=1`` turns NMS off.

Expected: not yet measured on COCO. 400 steps of 8 generated images of 96 px, a small network
from scratch: AP50 0.13 without NMS; one positive an object learns slowly. OTA with one point
an object reaches AP 36.5 on COCO val under this recipe with NMS (Ge et al. 2021, OTA, Table 4,
k = 1); 40.7 with as many as it asks for.
"""

from otadet.exp.paper import PaperExp


class DetrMatchFcosR50(PaperExp):
    method = "detr"
    nms_threshold = 1.0
