"""Judges probabilities: stores them, tunes rules on them, and says how good the masks are and how sure that is."""
