"""The detector of blood cells that comes with the package: YOLOX-Nano trained with OTA on BCCD.

    python tools/demo.py image -n ota_nano_cells --path docs/assets/cells.jpg
    python tools/train.py -f exps/ota_nano_cells.py -c yolox_nano -d cpu --minutes 20 data_dir=BCCD

The first line needs no training and no network, see docs/weights.md. The second trains it anew;
``benchmarks/cells_detector.py`` does so, measures it and writes the file. Expected: the AP of
``benchmarks/results/ota_nano_cells_cpu.json``.
"""

from otadet.exp.finetune import FinetuneExp
from otadet.exp.recipe import Row


class OtaNanoCells(FinetuneExp):
    rows = (Row(ours="see docs/weights.md"),)

    assigner = "ota_short"
    objectness = "one"

    input_size = (256, 320)  # the shape of BCCD's images, 480 x 640
    test_size = (256, 320)
