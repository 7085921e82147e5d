"""What can be wrong with a picture that could be decoded."""

import numpy as np

from pipeline.data.faults import Fault
from pipeline.masks.geometry import Image
from pipeline.masks.rle import Shape

ASPECT_TOLERANCE = 0.02
GREY = 128
"""What a JPEG decoder fills in where the data ran out."""
GREY_TOLERANCE = 4
GREY_SHARE = 0.01


def check_picture(image: Image, rle_shape: Shape, file: str, image_id: str) -> Fault | None:
    """The fault of an image (H×W×3), if it has one."""
    height, width = image.shape[:2]
    aspect, expected = width / height, rle_shape[1] / rle_shape[0]
    if abs(aspect / expected - 1) > ASPECT_TOLERANCE:
        message = f"{height}×{width} has the aspect {aspect:.3f}; masks of {rle_shape[0]}×{rle_shape[1]} {expected:.3f}"
        return Fault("wrong_aspect", file, None, message, image_id)
    if _ends_in_grey(image):
        message = "the lowest rows are one flat grey: the JPEG was damaged, and a decoder filled in what was lost"
        return Fault("truncated_picture", file, None, message, image_id)
    return None


def _ends_in_grey(image: Image) -> bool:
    """Also found where a damaged JPEG was decoded and written anew, so that the file itself is whole."""
    last = image[-max(2, round(GREY_SHARE * len(image))) :].reshape(-1, 3).astype(np.int64)
    return bool(np.abs(last - GREY).max() <= GREY_TOLERANCE and np.ptp(last, axis=0).max() <= 1)
