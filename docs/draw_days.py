"""Draw scenes for `docs/earth.md`, named as satellite pictures are: `python -m docs.draw_days FOLDER`.

Twelve days over the trades east of Barbados, one picture a day. They are synthetic: the page needs no network.
"""

import sys
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from nephoscope.data.images import read_image
from nephoscope.data.synthetic import write_dataset

FIRST = date(2020, 1, 26)
DAYS = 12
SHAPE = (1400, 2100)  # pixels of 0.01°


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as drawn:
        write_dataset(Path(drawn), labelled=DAYS, seed=20)
        for number, path in enumerate(sorted(Path(drawn, "train_images").iterdir())):
            day = FIRST + timedelta(days=number)
            image = cv2.resize(read_image(path), SHAPE[::-1], interpolation=cv2.INTER_LINEAR)
            target = folder / f"Aqua_CorrectedReflectance{day:%Y%m%d}_-61--40_10-24.jpeg"
            cv2.imwrite(str(target), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    print(f"{folder}: {DAYS} pictures")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "days"))
