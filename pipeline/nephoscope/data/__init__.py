"""From a folder of images and labels to a manifest, splits and a cache. Start with `source.py`."""
