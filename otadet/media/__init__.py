"""Input and output of detection: images, videos and streams; tables of detections."""

from otadet.data import IMAGE_ENDINGS
from otadet.media.annotation_ids import AnnotationIds
from otadet.media.background import Sink, prefetch
from otadet.media.images import ImageSource, find_images, image_files, is_address, output_names
from otadet.media.labels import DetectedLabels
from otadet.media.results import ResultsWriter, image_ids
from otadet.media.stream import LiveStream
from otadet.media.video import VIDEO_ENDINGS, VideoReader, VideoWriter, silence_opencv

__all__ = [
    "IMAGE_ENDINGS",
    "VIDEO_ENDINGS",
    "AnnotationIds",
    "DetectedLabels",
    "ImageSource",
    "LiveStream",
    "ResultsWriter",
    "Sink",
    "VideoReader",
    "VideoWriter",
    "find_images",
    "image_files",
    "image_ids",
    "is_address",
    "output_names",
    "prefetch",
    "silence_opencv",
]
