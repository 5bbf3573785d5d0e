"""RetinaNet-R50 with one square anchor a location and OTA (Ge et al. 2021, section 4.2).

    python tools/train.py -f exps/ota_retinanet_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

Expected on COCO val: AP 40.7, AP50 58.6, AP75 44.1 (paper, Table 1, last row).
Ours: not yet measured.
"""

from otadet.exp.paper import OtaPaperExp
from otadet.exp.recipe import Row


class OtaRetinanetR50(OtaPaperExp):
    head = "retinanet"
    rows = (Row("", "40.7 / 58.6 / 44.1", "OTA, Table 1"),)
