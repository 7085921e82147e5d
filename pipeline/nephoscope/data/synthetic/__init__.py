"""Synthetic scenes for the default run and the tests. Start with `dataset.py`."""

from nephoscope.data.synthetic.dataset import SCENES, write_dataset
from nephoscope.data.synthetic.scene import Scene

__all__ = ["SCENES", "Scene", "write_dataset"]
