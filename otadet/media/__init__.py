"""Pictures, videos and streams in; annotated files and tables of detections out."""

from otadet.data import IMAGE_ENDINGS
from otadet.media.pictures import Picture, find_pictures, is_address, output_names
from otadet.media.results import ResultsWriter, image_ids
from otadet.media.stream import LiveStream
from otadet.media.threads import Sink, ahead
from otadet.media.video import VIDEO_ENDINGS, VideoReader, VideoWriter, quiet_opencv

__all__ = [
    "IMAGE_ENDINGS",
    "VIDEO_ENDINGS",
    "LiveStream",
    "Picture",
    "ResultsWriter",
    "Sink",
    "VideoReader",
    "VideoWriter",
    "ahead",
    "find_pictures",
    "image_ids",
    "is_address",
    "output_names",
    "quiet_opencv",
]
