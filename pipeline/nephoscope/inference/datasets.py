"""Scenes as one xarray Dataset: at once, or computed by dask when somebody asks for a variable."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nephoscope.earth.scene import Scene
from nephoscope.inference.result import Result

if TYPE_CHECKING:
    import xarray as xr

Predict = Callable[[Scene], Result]


def predict_dataset(predict: Predict, scenes: Sequence[Scene], blank: Predict | None = None) -> "xr.Dataset":
    """Scenes of one grid → Dataset with all their times. With `blank`, nothing is predicted yet.

    `blank` returns an empty result with the shape and the place that `predict` will give.
    """
    import xarray as xr

    datasets = [
        predict(scene).to_xarray() if blank is None else _promise(blank(scene).to_xarray(), predict, scene)
        for scene in scenes
    ]
    if len(datasets) == 1:
        return datasets[0]
    # Coordinates and land are the same for all times.
    same: Any = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "combine_attrs": "override"}
    return xr.concat(datasets, "time", join="exact", **same)


def _promise(blank: "xr.Dataset", predict: Predict, scene: Scene) -> "xr.Dataset":
    """An empty Dataset → the same, whose variables are computed together when one of them is needed."""
    from dask.array import from_delayed
    from dask.delayed import delayed

    computed = delayed(partial(_compute, predict, scene), pure=False)()
    lazy: dict[str, Any] = {
        str(name): from_delayed(computed[name], field.shape, field.dtype)  # type: ignore[no-untyped-call]
        for name, field in blank.data_vars.items()
        if name != "land"
    }
    return blank.assign({name: blank[name].copy(data=data) for name, data in lazy.items()})


def _compute(predict: Predict, scene: Scene) -> dict[str, npt.NDArray[Any]]:
    dataset = predict(scene).to_xarray()
    return {str(name): np.asarray(field) for name, field in dataset.data_vars.items()}
