"""Masks as arrays: run-length encoding, resizing, components, outlines, Dice."""
