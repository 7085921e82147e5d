"""Measures predictions: probability store, Dice, precision and recall, intervals, calibration. Start at `evaluate`."""
