"""Draws everything that is an image or SVG, from finished tables: figures, overlays, heat maps."""
