"""From a picture to probabilities, presence and masks."""
