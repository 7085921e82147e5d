"""Errors that the user can fix. Stages and commands end with their message, without a traceback."""


class UserError(ValueError):
    """An error the user can fix. The message says what was found, what was expected, and the way out."""


def reason_of(error: Exception) -> str:
    """What an error of any library says, without the number that the system gives it.

    >>> reason_of(FileNotFoundError(2, "No such file or directory", "a.jpg"))
    'No such file or directory'
    """
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


EXTRAS = {
    "train": ("torch", "timm", "lightning", "segmentation_models_pytorch", "albumentations", "captum", "jinja2", "onnx",
              "onnx_ir", "onnxscript", "torchmetrics", "torchvision", "vl_convert"),
    "app": ("fastapi", "uvicorn", "starlette", "multipart", "python_multipart"),
    "cluster": ("ray",),
    "earth": ("xarray", "rasterio", "rioxarray", "netCDF4", "dask", "pyproj", "zarr"),
    "openvino": ("openvino",),
}  # fmt: skip
"""Extra → packages that it installs and that nephoscope imports."""


def missing_extra(error: ModuleNotFoundError) -> UserError | None:
    """A failed import → an error with the command that installs the package; None if it belongs to no extra."""
    package = (error.name or "").split(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return UserError(
                f"{package} is not installed; run `python -m pip install 'nephoscope[{extra}]'` "
                f"(in a clone: `python -m pip install -c constraints.txt -e '.[{extra}]'`)"
            )
    return None
