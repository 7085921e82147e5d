"""Files and tables: from a folder of pictures to a manifest, splits and a cache."""
