"""Georeferenced sources → scenes: files of every kind, arrays of xarray, reprojection."""
