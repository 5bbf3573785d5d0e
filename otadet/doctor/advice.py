"""The codes of findings, which scripts may rely on, and what to do about each."""

from __future__ import annotations

ADVICE: dict[str, str] = {
    # the annotation files
    "annotations-unreadable": "mend or name the file (train_ann=..., val_ann=..., data_format=...)",
    "value-invalid": "mend these entries; the reader takes no guesses",
    "refused": "mend what the reader says, then look again",
    # ids and classes
    "image-id-double": "give each picture an id of its own",
    "image-listed-twice": "list each picture once",
    "annotation-id-double": "number the annotations anew",
    "category-id-double": "give each class an id of its own",
    "image-id-unknown": "remove these annotations or add their pictures to the list",
    "class-unknown": "add the class or mend the id; ids off by one often count from 0 elsewhere",
    "classes-missing": "name at least one class",
    "class-name-double": "merge the two classes, or rename one",
    "class-name-similar": "decide on one spelling; both are learned as classes of their own now",
    "class-empty": "remove the class, or add pictures of it: nothing can be learned of it",
    "class-rare": "add pictures of it, or expect little",
    "class-val-only": "add it to the training set; its AP counts as 0 in the mean",
    "classes-differ": "name the same classes in both files, or set class_names=...",
    "class-ids-differ": "classes are matched by name; check which file has the right names",
    "num-classes-differs": "leave num_classes out, or mend the list of classes",
    "no-objects": "check that these are the right annotations",
    # the pictures' files
    "folder-missing": "name the folder (train_images=..., val_images=...)",
    "file-name-outside": "use names relative to the image folder",
    "file-missing": "add the files, remove their entries, or set unreadable=skip",
    "file-empty": "copy the files again, or set unreadable=skip",
    "file-truncated": "copy the files again, or set unreadable=skip",
    "file-not-image": "convert or remove the files, or set unreadable=skip",
    "size-differs": "annotate the very file that is trained on; boxes are of another size now",
    "exif-swaps": "look whether the boxes fit; save the pictures upright to be safe",
    "exif-flips": "look whether the boxes fit; save the images upright to be safe",
    # boxes
    "box-invalid": "remove or mend these boxes",
    "boxes-normalised": "write pixels; shares of the picture's sides are YOLO's format",
    "boxes-xyxy": "write left, top, width, height; these look like two corners",
    "box-not-normalised": "divide by the picture's width and height, or set amodal=true",
    "box-no-area": "remove them; they are left out of training",
    "box-outside": "remove them; they are left out of training",
    "box-over-border": "nothing, if objects end at the border; boxes are cut there in training",
    "box-tiny": "train at a larger input size, or leave such objects out",
    "box-double": "keep one; the second teaches the detector to fire twice",
    "box-whole-picture": "look whether these are objects or labels of whole pictures",
    "box-extreme": "look whether these are right: very long, very thin",
    # pictures and their objects
    "picture-empty": "nothing, if nothing is there; drop_empty=true leaves them out",
    "picture-double": "keep one of each; copies weigh more in training",
    "picture-alike": "look at the pairs; keep one of each if they are re-encoded copies",
    "picture-in-both": "remove from one: the validation score is too good so",
    "picture-in-both-alike": "look at the pairs: copies make the validation score too good",
    "few-objects": "look whether objects were left unlabelled; the detector is punished for them",
    # settings
    "max-detections-low": "set max_detections as high as the largest number of objects",
    "input-too-small": "train at a larger input_size, or on cut-out parts of the pictures",
    "anchors-unfit": "set anchor_scale as the finding says, or take a method without anchors",
    "nms-merges": "raise nms_threshold, or use nms_kind=gaussian; compare with tools/eval.py",
    "no-label-file": "nothing, if these are meant to have no objects; else see how files are named",
    "label-without-picture": "add the pictures or remove the files; nothing is learned from them",
}
"""What to do, by code."""
