"""GeoTIFF, NetCDF and Zarr: every way to store a scene, files without a place, and damaged ones."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import rasterio
import xarray as xr
from PIL import Image

from nephoscope.earth.grid import Grid
from tests.builders.placed_pictures import BOUNDS, SHAPE, draw_picture, to_array, write_geotiff
from tests.corpus.case import Case, damaged

GRID = Grid.from_bounds(BOUNDS, SHAPE)
NO_TIFF, NO_STORE = "cannot be read as a GeoTIFF", "cannot be opened"
NO_PLACE = "a TIFF without a coordinate reference system or transform"


def cases() -> list[Case]:
    tiffs, stores = [*sound_tiffs(), *refused_tiffs()], [*sound_stores(), *refused_stores()]
    sound = [case for case in (*tiffs, *stores) if case.refusal is None and isinstance(case.content, bytes)]
    return [*tiffs, *stores, *(copy for case in sound for copy in damaged(case, 2))]


def tiff(image: np.ndarray, grid: Grid | None = GRID, tags: Mapping[str, str] | None = None, **options: Any) -> bytes:
    with TemporaryDirectory() as folder, catch_warnings():
        simplefilter("ignore")
        path = write_geotiff(Path(folder) / "a.tif", image, grid, **options)
        if tags:
            with rasterio.open(path, "r+") as file:
                file.scales, file.offsets = [float(tags["scale"])] * file.count, [0.0] * file.count
        return path.read_bytes()


def sound_tiffs() -> Iterator[Case]:
    image = draw_picture()
    seen = np.ones(SHAPE, bool)
    seen[:, :20] = False
    stored: dict[str, dict[str, Any]] = {
        "strips": {},
        "tiles": {"tiled": True, "blockxsize": 16, "blockysize": 16},
        "apart": {"interleave": "band"},
        "big": {"BIGTIFF": "YES"},
        "nodata": {"nodata": 0},
        "masked": {"mask": seen},
        "alpha": {"alpha": seen},
        "big-endian": {"ENDIANNESS": "BIG"},
        **{name: {"compress": name} for name in ("deflate", "lzw", "packbits", "zstd", "lzma", "jpeg", "webp")},
        "predictor": {"compress": "deflate", "predictor": 2},
    }
    for name, options in stored.items():
        yield Case(f"tiff-{name}.tif", tiff(image, **options))
    yield Case("tiff-four-bands.tiff", tiff(np.concatenate([image, image[..., :1]], axis=2)))
    yield Case("tiff-reflectance.tif", tiff((image / 300).astype(np.float32)))
    yield Case("tiff-scaled.tif", tiff(image.astype(np.uint16) * 30, tags={"scale": "0.0001"}))
    a, b, c, d, e, f = GRID.transform
    yield Case("tiff-south-up.tif", tiff(image, Grid("EPSG:4326", (a, b, c, d, -e, 10.0), SHAPE)))
    yield Case("tiff-rotated.tif", tiff(image, Grid("EPSG:4326", (a, a / 4, c, e / 4, e, f), SHAPE)))
    yield Case("tiff-utm.tif", tiff(image, Grid("EPSG:32620", (5e3, 0, 6e5, 0, -5e3, 1.4e6), SHAPE)))
    yield Case("tiff-antimeridian.tif", tiff(image, Grid("EPSG:4326", (a, b, 178.5, d, e, f), SHAPE)))


def refused_tiffs() -> Iterator[Case]:
    image = draw_picture()
    for name, bands in (("one-band", image[..., :1]), ("two-bands", image[..., :2])):
        yield Case(f"tiff-{name}.tif", tiff(bands), "")
    for kind in ("int8", "int16", "uint16", "uint32", "complex64"):
        yield Case(f"tiff-{kind}.tif", tiff(image.astype(kind) if kind != "int8" else (image // 2).astype(kind)), "")
    yield Case("tiff-kelvin.tif", tiff(image.astype(np.float32)), "expected reflectances")
    yield Case("tiff-all-nan.tif", tiff(np.full((*SHAPE, 3), np.nan, np.float32)), certain=False)
    yield Case("tiff-infinite.tif", tiff(np.full((*SHAPE, 3), np.inf, np.float32)), certain=False)
    yield Case("tiff-no-place.tif", tiff(image, None), NO_PLACE)
    yield Case("tiff-tiny.tif", tiff(image[:4]), "4×60 pixels; a side must have at least 8")
    a, b, c, d, e, f = GRID.transform
    places = {
        "beyond-the-pole": (a, b, c, d, e, 95.0),
        "far-east": (a, b, 700.0, d, e, f),
        "metres-as-degrees": (5e3, 0, 6e5, 0, -5e3, 1.4e6),
    }
    for name, transform in places.items():
        yield Case(f"tiff-{name}.tif", tiff(image, Grid("EPSG:4326", transform, SHAPE)), "")
    yield Case("tiff-line.tif", tiff(image, Grid("EPSG:4326", (a, a, c, a, a, f), SHAPE)), "describes no grid")
    yield Case("tiff-flat.tif", tiff(image, Grid("EPSG:4326", (0, 0, c, 0, 0, f), SHAPE)), certain=False)
    yield Case("tiff-nan.tif", tiff(image, Grid("EPSG:4326", (np.nan, 0, c, 0, e, f), SHAPE)), certain=False)
    plan = 'LOCAL_CS["plan",UNIT["metre",1]]'
    yield Case("tiff-local-plan.tif", tiff(image, Grid(plan, (1, 0, 0, 0, -1, 0), SHAPE)), "")
    content = tiff(image, compress="deflate")
    for share in (0.0, 0.01, 0.3, 0.9, 0.99):
        yield Case(f"tiff-cut-{share}.tif", content[: int(share * len(content))], NO_TIFF)
    yield from other_rasters()


def other_rasters() -> Iterator[Case]:
    """What rasterio could open under another name: only a TIFF may be opened here, wherever its text points to."""
    picture = Image.fromarray(draw_picture())
    for kind in ("PNG", "BMP", "GIF", "JPEG", "JPEG2000", "WEBP"):
        content = io.BytesIO()
        picture.save(content, kind)
        yield Case(f"{kind.lower()}-named.tif", content.getvalue(), NO_TIFF)
    outside = "<VRTDataset rasterXSize='60' rasterYSize='40'><VRTRasterBand dataType='Byte' band='1'><SimpleSource>"
    outside += "<SourceFilename>/etc/hostname</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    texts = {
        "vrt": outside,
        "wms": "<GDAL_WMS><Service name='TMS'/></GDAL_WMS>",
        "text": "no raster",
        "grid": "ncols 4",
    }
    for name, text in texts.items():
        yield Case(f"{name}-named.tif", text.encode(), NO_TIFF)


def netcdf(dataset: xr.Dataset | xr.DataArray, kind: Any = "NETCDF4") -> bytes:
    with TemporaryDirectory() as folder, catch_warnings():
        simplefilter("ignore")
        dataset.to_netcdf(f"{folder}/a.nc", engine="netcdf4", format=kind)
        return Path(folder, "a.nc").read_bytes()


def named(array: xr.DataArray, **attributes: Any) -> xr.DataArray:
    return array.rename("true_color").assign_attrs(attributes)


def zarr(dataset: xr.DataArray) -> dict[str, bytes]:
    with TemporaryDirectory() as folder, catch_warnings():
        simplefilter("ignore")
        dataset.to_dataset(name="true_color").to_zarr(f"{folder}/a.zarr", zarr_format=2)
        root = Path(folder, "a.zarr")
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def sound_stores() -> Iterator[Case]:
    array = named(to_array(draw_picture()))
    day = np.datetime64("2020-01-26T13:30", "ns")
    kinds = {"4": "NETCDF4", "4-classic": "NETCDF4_CLASSIC", "3": "NETCDF3_CLASSIC", "64-bit": "NETCDF3_64BIT"}
    for name, kind in kinds.items():
        whole = array if kind == "NETCDF4" else array.astype("int16")
        content = netcdf(whole if kind == "NETCDF4" else whole.assign_attrs(scale_factor=0.004, units="1"), kind)
        yield Case(f"netcdf-{name}.nc", content)
    yield Case("netcdf-time.nc", netcdf(array.assign_coords(time=day)))
    yield Case("netcdf-two-times.nc", netcdf(array.expand_dims(time=[day, day + np.timedelta64(1, "D")])))
    yield Case("netcdf-percent.nc", netcdf(named(array.astype("f4") / 3, units="%")))
    apart = xr.Dataset({name: array.isel(band=band) for band, name in enumerate(("red", "green", "blue"))})
    yield Case("netcdf-apart.nc", netcdf(apart))
    yield Case("zarr-2.zarr", zarr(array))


def refused_stores() -> Iterator[Case]:
    array = named(to_array(draw_picture()))
    content, y = netcdf(array), array["latitude"].to_numpy()
    for share in (0.0, 0.01, 0.3, 0.9):
        yield Case(f"netcdf-cut-{share}.nc", content[: int(share * len(content))], NO_STORE)
    yield Case("text-named.nc", b"no store", NO_STORE)
    yield Case("netcdf-without-coordinates.nc", netcdf(array.drop_vars(["latitude", "longitude"])), "no coordinates")
    coordinates = {
        "uneven": np.where(np.arange(len(y)) == 5, y + 0.02, y),
        "nan": np.where(np.arange(len(y)) == 5, np.nan, y),
        "beyond": y + 200,
        "all-the-same": y * 0,
        "names": np.array([f"row {number}" for number in range(len(y))]),
    }
    for name, values in coordinates.items():
        yield Case(f"netcdf-{name}.nc", netcdf(array.assign_coords(latitude=values)), "latitude")
    yield Case("netcdf-one-band.nc", netcdf(array.isel(band=[0])), "")
    yield Case("netcdf-one-row.nc", netcdf(array.isel(latitude=[0])), "")
    yield Case("netcdf-no-variable.nc", netcdf(xr.Dataset(attrs={"title": "empty"})), "variables none")
    yield Case("netcdf-text.nc", netcdf(named(array.astype(str))), certain=False)
    yield Case("netcdf-kelvin.nc", netcdf(named(array.astype("f4"), units="K")), "expected reflectances")
    yield Case("netcdf-unscaled.nc", netcdf(named(array.astype("f4"))), "expected reflectances")
    yield Case("netcdf-all-nan.nc", netcdf(named(array.astype("f4") * np.nan, units="1")), certain=False)
    odd: dict[str, dict[str, Any]] = {
        "scale-text": {"scale_factor": "ten"},
        "scale-nan": {"scale_factor": np.nan},
        "fill-text": {"missing_value": "none"},
    }
    for name, attributes in odd.items():
        yield Case(f"netcdf-{name}.nc", netcdf(named(array.astype("i2"), units="1", **attributes)), certain=False)
    time = xr.DataArray([0], dims="time", attrs={"units": "fortnights since the flood"})
    yield Case("netcdf-odd-time.nc", netcdf(array.expand_dims("time").assign_coords(time=time)), certain=False)
    height = array.expand_dims(height=2)
    yield Case("netcdf-heights.nc", netcdf(height), "variables true_color")
    good = zarr(array)
    yield Case("zarr-empty.zarr", {"readme.txt": b"empty"}, NO_STORE)
    pickled = good["true_color/.zarray"].replace(b'"compressor": {', b'"compressor": {"id": "pickle", "x": {')
    yield Case("zarr-pickle.zarr", {**good, ".zmetadata": b"", "true_color/.zarray": pickled}, NO_STORE)
    yield Case("zarr-not-json.zarr", {**good, "true_color/.zarray": b"{"}, certain=False)
    chunks = [name for name in good if name.startswith("true_color/0")]
    yield Case("zarr-damaged-chunk.zarr", {**good, **dict.fromkeys(chunks, b"noise")}, "cannot be read")
