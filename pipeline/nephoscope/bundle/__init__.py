"""The portable model folder: export, model card, and the shipped model. Start at `load.open_portable`."""
