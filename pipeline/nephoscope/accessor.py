"""`import nephoscope.accessor` adds `.nephoscope` to xarray's arrays and Datasets.

>>> import xarray as xr
>>> import nephoscope.accessor
>>> xr.DataArray.nephoscope.predict.__name__
'predict'
"""

import xarray as xr

from nephoscope.api import Box, Model, Time, load


@xr.register_dataset_accessor("nephoscope")  # type: ignore[no-untyped-call]
@xr.register_dataarray_accessor("nephoscope")  # type: ignore[no-untyped-call]
class Accessor:
    """`image.nephoscope.predict()` is `nephoscope.load().predict(image)`."""

    def __init__(self, image: xr.DataArray | xr.Dataset) -> None:
        self._image = image

    def predict(self, model: Model | None = None, *, bounds: Box = None, time: Time = None) -> xr.Dataset:
        """The maps of an image. Without a model, the shipped one is opened."""
        opened = load() if model is None else model
        return opened.predict(self._image, bounds=bounds, time=time)
