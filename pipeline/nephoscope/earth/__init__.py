"""Where a pixel lies: grids, georeferenced scenes in, maps out, imagery. Needs the extra `earth` for most of it."""
