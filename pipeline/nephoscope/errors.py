"""Errors that the user can fix. Stages and commands end with their message, without a traceback."""

import errno
import os

USER_ERROR = 2
"""Exit code of commands and stages."""


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


WAYS_OUT = {
    errno.ENOSPC: "free some space, or choose another folder",
    errno.EDQUOT: "free some space, or choose another folder",
    errno.EFBIG: "raise the limit for files (ulimit -f), or choose another folder",
    errno.EROFS: "choose a folder that can be written to",
    errno.EACCES: "change its permissions, or choose another folder",
    errno.EPERM: "change its permissions, or choose another folder",
    errno.ENOENT: "was it moved or deleted? Put it back, or choose another folder",
    errno.ENOTDIR: "was it moved or deleted? Put it back, or choose another folder",
    errno.ESTALE: "was it moved or deleted? Put it back, or choose another folder",
    errno.EMFILE: "raise the limit for open files (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.EIO: "check the disk, or choose another folder",
}
"""Number of an error of the system → what the user can do."""
IN_TEXTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors that libraries in other languages pass on as text alone."""


def as_user_error(error: BaseException) -> UserError | None:
    """An error → the one to show if the user can fix it; None if it is a bug."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return missing_extra(error)
    if isinstance(error, OSError) and error.errno in WAYS_OUT:
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return _system_error(f"{place}{os.strerror(error.errno)}", error.errno)
    for number in IN_TEXTS:
        if os.strerror(number) in str(error):
            return _system_error(str(error), number)
    return None if error.__cause__ is None else as_user_error(error.__cause__)


def _system_error(text: str, number: int) -> UserError:
    return UserError(f"{text}; {WAYS_OUT[number]}, and run the same command again")
