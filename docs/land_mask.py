"""Write pipeline/nephoscope/earth/land.png: python -m docs.land_mask

The land mask of the package global-land-mask (MIT, © 2019 Todd Karin) has cells of 30″. It marks every cell with an
elevation in GLOBE 1.0 (NOAA National Geophysical Data Center, 1999), which NOAA distributes without restrictions. Here
36 cells become one of 0.05°, which is land if at least half of them are. Lakes count as land. Needs 2 GB of memory.
"""

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from nephoscope.earth.land import LAND_FILE
from nephoscope.errors import UserError
from nephoscope.files import atomic_write

CELLS = 6
"""Cells of 30″ along a side of 0.05°."""


def main() -> None:
    package = find_spec("global_land_mask")
    if package is None or package.origin is None:
        raise UserError("global-land-mask is not installed; run `python -m pip install global-land-mask==1.0.0`")
    # The package itself loads all of this when it is imported.
    with np.load(Path(package.origin).with_name("globe_combined_mask_compressed.npz")) as content:
        ocean = content["mask"]
    rows, columns = (size // CELLS for size in ocean.shape)
    ocean_cells = ocean.reshape(rows, CELLS, columns, CELLS).sum((1, 3), dtype=np.uint8)
    land = 255 * (ocean_cells <= CELLS * CELLS // 2).astype(np.uint8)
    _, content = cv2.imencode(".png", land, [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 9])
    with atomic_write(LAND_FILE) as unfinished:
        unfinished.write_bytes(content.tobytes())
    print(f"{LAND_FILE}: {rows}×{columns} cells, {LAND_FILE.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
