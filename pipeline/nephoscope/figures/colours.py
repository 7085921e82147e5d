"""The colour of every class, RGB: one palette for figures, overlays and pages, told apart by colour-blind people too.

After Okabe and Ito, ordered so that the first four stand out both from dark water and from white clouds.
"""

Colour = tuple[int, int, int]
CLASS_COLOURS: tuple[Colour, ...] = (
    (213, 94, 0),  # vermilion
    (86, 180, 233),  # sky blue
    (240, 228, 66),  # yellow
    (204, 121, 167),  # reddish purple
    (0, 158, 115),  # bluish green
    (230, 159, 0),  # orange
    (0, 114, 178),  # blue
    (153, 153, 153),  # grey
)


def to_hex(colour: Colour) -> str:
    """For matplotlib and pages.

    >>> to_hex((213, 94, 0))
    '#d55e00'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)
