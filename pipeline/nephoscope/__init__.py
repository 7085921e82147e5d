"""Maps of how shallow clouds organise, from satellite images: Fish, Flower, Gravel, Sugar.

>>> import nephoscope as ns
>>> model = ns.load()                        # the shipped model; ns.load(folder) for one of your own
>>> result = model.predict("picture.jpg")    # doctest: +SKIP
>>> result.masks.shape                       # doctest: +SKIP
(4, 350, 525)

Everything here is imported when it is first used, so `import nephoscope` itself is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nephoscope.api import Model, load
    from nephoscope.batch.occurrence.dataset import grid_occurrence
    from nephoscope.batch.predict import predict_pictures
    from nephoscope.earth.imagery.fetch import fetch_pictures
    from nephoscope.errors import UserError
    from nephoscope.inference.result import Result
    from nephoscope.masks.rle import decode_rle, encode_rle
    from nephoscope.rules.rules import Rule, Rules
    from nephoscope.tuning.tune import Tuning, tune

    __version__: str

__all__ = [
    "Model",
    "Result",
    "Rule",
    "Rules",
    "Tuning",
    "UserError",
    "__version__",
    "decode_rle",
    "encode_rle",
    "fetch_pictures",
    "grid_occurrence",
    "load",
    "predict_pictures",
    "tune",
]

_HOMES = {
    "Model": "nephoscope.api",
    "Result": "nephoscope.inference.result",
    "Rule": "nephoscope.rules.rules",
    "Rules": "nephoscope.rules.rules",
    "Tuning": "nephoscope.tuning.tune",
    "UserError": "nephoscope.errors",
    "decode_rle": "nephoscope.masks.rle",
    "encode_rle": "nephoscope.masks.rle",
    "fetch_pictures": "nephoscope.earth.imagery.fetch",
    "grid_occurrence": "nephoscope.batch.occurrence.dataset",
    "load": "nephoscope.api",
    "predict_pictures": "nephoscope.batch.predict",
    "tune": "nephoscope.tuning.tune",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("nephoscope")
    if name not in _HOMES:
        raise AttributeError(f"module 'nephoscope' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # the next access is direct
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
