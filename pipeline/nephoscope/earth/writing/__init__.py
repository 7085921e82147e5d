"""Results → files on Earth: CF Datasets, NetCDF, Zarr, GeoTIFF, GeoJSON."""
