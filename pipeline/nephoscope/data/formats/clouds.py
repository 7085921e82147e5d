"""Clouds: "Understanding Clouds from Satellite Images", four overlapping patterns of shallow clouds."""

from nephoscope.data.formats.definition import Format, HumanDice, Layout

CLOUDS = Format(
    name="clouds",
    classes=("Fish", "Flower", "Gravel", "Sugar"),
    rle_shape=(1400, 2100),
    output_shape=(350, 525),
    layouts=(Layout(("Image_Label", "EncodedPixels"), every_class=True),),
    nodata=True,  # the black strip between two orbits
    # Computed from the practice annotations of 66 scientists.
    human_dice=HumanDice(
        union=0.584,
        single=0.628,
        per_class={"Fish": 0.536, "Flower": 0.736, "Gravel": 0.541, "Sugar": 0.525},
    ),
)
