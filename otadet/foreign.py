"""Words of other trainers, and what they are called here."""

from __future__ import annotations

_OURS = (
    (
        "img imgsz img_size image_size imgs",
        "input_size={0} (height x width), and test_size={0} for evaluation",
    ),
    ("epochs num_epochs total_epochs", "max_epochs={}"),
    ("time hours max_time", "minutes=60 (the whole run)"),
    ("iters max_iter iterations steps max_steps", "max_iters={}"),
    ("batch bs batch_per_gpu", "-b {} (images a step, over all devices)"),
    ("lr0 base_lr learning_rate", "lr={} (for lr_batch images a step)"),
    ("lrf", "final_lr={}"),
    ("cos_lr scheduler", "schedule=cosine"),
    ("warmup_epochs", "warmup_iters=1000 (steps)"),
    ("device devices gpu gpus cuda", "-d cpu, -d 8 (so many GPUs) or -d 0,2 (these GPUs)"),
    ("num_workers data_num_workers", "workers={}"),
    ("weights pretrained checkpoint ckpt load_from", "-c FILE (or a name, as -c yolox_s)"),
    ("resume_from", "--resume"),
    ("model cfg config name", "-n NAME (an experiment), and -c FILE for its weights"),
    ("data dataset data_path data_root", "data_dir=FOLDER (datasets/README.md: what lies where)"),
    ("names classes", "class_names=a,b,c (by default those of the annotations)"),
    ("nc", "num_classes={}"),
    ("project output output_dir save_dir work_dir expn experiment_name exist_ok", "-o DIR"),
    ("save_period", "save_interval={} (steps)"),
    ("amp half", "--fp16 or --bf16"),
    ("conf conf_thres test_conf", "score_threshold={}"),
    ("iou iou_thres nmsthre", "nms_threshold={}"),
    ("max_det", "max_detections={}"),
    ("close_mosaic no_aug_epochs", "last_epochs={} (YOLOX)"),
    ("fliplr", "flip={}"),
    ("flipud", "flip_vertical={}"),
    ("multi_scale random_size", "multiscale=480,800 (smallest and largest height)"),
    ("hsv_h hsv_s hsv_v hsv_prob", "color_jitter=true"),
    ("tsize", "test_size={} (height x width)"),
    ("augment", "tta=flip"),
    ("source", "--path PATH (demo)"),
)
_EXAMPLES = {"input_size": "640", "max_epochs": "50", "-b": "8", "lr": "0.01", "workers": "4"}
_BY_WORD = {word: ours for words, ours in _OURS for word in words.split()}


def ours(word: str, value: str = "") -> str | None:
    """Return what a word of another trainer is called here, as a command line takes it.

    Args:
        word: a setting's name or an option's without its dashes.
        value: what was given with it; stands in the answer where ours takes the same.

    Returns:
        One clause; ``None`` for a word that is not known.
    """
    found = _BY_WORD.get(word.lower().replace("-", "_"))
    if found is None:
        return None
    name = found.replace("=", " ").split()[0]
    text = found.format(value or _EXAMPLES.get(name, "N"))
    return f"use {text}" if found.startswith("-") else f"the setting here is {text}"
