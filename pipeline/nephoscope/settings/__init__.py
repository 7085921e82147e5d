"""The typed settings of `params.yaml`. Start in `params.py`; every group of stages has its own file."""
