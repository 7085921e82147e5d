"""Severstal: "Steel Defect Detection", four kinds of defects on rolled steel; most pictures have none."""

from nephoscope.data.formats.definition import Format, Layout

SEVERSTAL = Format(
    name="severstal",
    classes=("1", "2", "3", "4"),
    rle_shape=(256, 1600),
    output_shape=(256, 1600),
    layouts=(
        Layout(("ImageId_ClassId", "EncodedPixels"), every_class=True),
        Layout(("ImageId", "ClassId", "EncodedPixels"), every_class=False),
    ),
    nodata=False,  # the black border is where the plate ends, and it may be predicted on
)
