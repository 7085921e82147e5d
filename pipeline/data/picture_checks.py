"""What can be wrong with a picture that could be decoded."""

from pipeline.data.faults import Fault
from pipeline.masks.geometry import Image
from pipeline.masks.rle import Shape

ASPECT_TOLERANCE = 0.02


def check_picture(image: Image, rle_shape: Shape, file: str, image_id: str) -> Fault | None:
    """The fault of an image (H×W×3), if it has one."""
    height, width = image.shape[:2]
    aspect, expected = width / height, rle_shape[1] / rle_shape[0]
    if abs(aspect / expected - 1) > ASPECT_TOLERANCE:
        message = f"{height}×{width} has the aspect {aspect:.3f}; masks of {rle_shape[0]}×{rle_shape[1]} {expected:.3f}"
        return Fault("wrong_aspect", file, None, message, image_id)
    return None
