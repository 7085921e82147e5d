"""The colour of every class (RGB) in figures, overlays and pages.

The palette of Okabe and Ito, which colour-blind people can distinguish. The first four contrast with dark water and
with white clouds.
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
