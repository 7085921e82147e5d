"""The HTML report of a finished run. Start at `build.py`, which reads the run and writes the pages."""
