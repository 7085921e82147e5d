"""Engines and the ensemble: from an image to a prediction, and from a prediction to a result."""
