"""The data sets that can be read. A new one is a module here, a line in FORMATS, and a name for `prepare.format`."""

from nephoscope.data.formats.clouds import CLOUDS
from nephoscope.data.formats.definition import Format
from nephoscope.data.formats.severstal import SEVERSTAL

FORMATS: dict[str, Format] = {
    "clouds": CLOUDS,
    "severstal": SEVERSTAL,
}
__all__ = ["FORMATS", "Format"]
