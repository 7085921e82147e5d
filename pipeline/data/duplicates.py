"""Near duplicates: pictures that show the same, found by a perceptual hash, so that no two splits share one."""

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.masks.geometry import Image

Hashes = npt.NDArray[np.uint64]
GREY_SIZE = 32
FREQUENCIES = 8
BLOCK = 512  # hashes compared with all others at once: 40 MB for 10,000 pictures


def group_duplicates(images: npt.NDArray[np.uint8], distance: int) -> npt.NDArray[np.int64]:
    """Images (N×H×W×3) → a group per image (N); hashes at most so many bits apart share one. -1: all alone."""
    if distance < 0:
        return np.arange(len(images))
    return group_hashes(np.array([hash_image(image) for image in images], np.uint64), distance)


def hash_image(image: Image) -> int:
    """Image (H×W×3) → 64 bits: which of its lowest frequencies lie above their median.

    Size, compression and brightness leave it as it is. The black strip between two orbits is only a part of what
    it sees: no two different pictures of the clouds data set come closer than 6 bits, strip or not.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (GREY_SIZE, GREY_SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:FREQUENCIES, :FREQUENCIES].ravel()
    return int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes())


def group_hashes(hashes: Hashes, distance: int) -> npt.NDArray[np.int64]:
    """Hashes (N) → group (N), 0 upwards; what is close to a member belongs to the group."""
    pairs = []
    for start in range(0, len(hashes), BLOCK):
        distances = np.bitwise_count(hashes[start : start + BLOCK, None] ^ hashes[None])
        pairs.append(np.argwhere(distances <= distance) + np.array([start, 0]))
    rows, columns = np.concatenate(pairs).T
    graph = csr_array((np.ones(len(rows), bool), (rows, columns)), shape=(len(hashes), len(hashes)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
