"""Architectures, losses and weights of the two networks; start at classifier.py and segmenter.py."""
