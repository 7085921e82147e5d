"""An error that the user can fix. A stage ends with its message alone, without a traceback."""


class UserError(ValueError):
    """The message says what was found, what was expected, and the way out."""


EXTRAS = {
    "train": ("torch", "timm", "lightning", "segmentation_models_pytorch", "albumentations", "captum", "jinja2", "onnx",
              "onnx_ir", "onnxscript", "torchmetrics", "torchvision", "vl_convert", "zarr"),
    "app": ("fastapi", "uvicorn", "starlette", "multipart", "python_multipart"),
    "cluster": ("ray",),
    "openvino": ("openvino",),
}  # fmt: skip
"""Extra → the packages that it brings and that are imported somewhere."""


def missing_extra(error: ModuleNotFoundError) -> UserError | None:
    """An import that failed → the error that names the command to install it; None if no extra brings the package."""
    package = (error.name or "").split(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return UserError(
                f"{package} is not installed; run `python -m pip install 'nephoscope[{extra}]'` "
                f"(in a clone: `python -m pip install -c constraints.txt -e '.[{extra}]'`)"
            )
    return None
