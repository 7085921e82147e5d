"""Synthetic scenes: the embedded default data set, and the fixtures of the tests."""

from nephoscope.data.synthetic.dataset import SCENES, write_dataset
from nephoscope.data.synthetic.scene import Scene

__all__ = ["SCENES", "Scene", "write_dataset"]
