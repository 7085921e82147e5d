"""One file a stage: read, call, write. `python -m stages.NAME` runs one, `dvc repro` all of them in order."""
