"""The land mask agrees with the data that it comes from."""

import numpy as np

from nephoscope.earth.land import LAND_FILE, land_at, read_land


def test_known_places() -> None:
    latitude = np.array([13.16, 13.16, 48.9, 0.0, -75.0, 21.0])
    longitude = np.array([-59.55, -58.0, 2.3, -30.0, 0.0, -157.0])  # Barbados, east of it, Paris, Atlantic, …
    assert land_at(latitude, longitude).tolist() == [True, False, True, False, True, False]


def test_longitudes_may_have_any_origin() -> None:
    longitude = np.linspace(-180, 179.99, 97)
    assert (land_at(20.0, longitude) == land_at(20.0, longitude + 360)).all()
    assert land_at(np.array([[-90.0], [90.0]]), longitude).shape == (2, 97)
    assert land_at(-90.0, 180.0)


def test_a_cell_reaches_from_its_northern_to_its_southern_edge() -> None:
    cells = read_land()
    row, column = np.argwhere(cells[1000:1001, :-1] & ~cells[1000:1001, 1:])[0] + (1000, 0)
    north, west = 90 - row / 20, column / 20 - 180
    assert land_at(north - 0.001, west + 0.049)
    assert not land_at(north - 0.001, west + 0.051)


def test_the_file_is_small() -> None:
    assert LAND_FILE.stat().st_size < 200_000
    assert 0.28 < np.average(read_land().mean(1), weights=np.cos(np.radians(np.linspace(89.975, -89.975, 3600)))) < 0.31
