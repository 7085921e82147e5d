"""What lies between the networks and the masks: read `rules.py`, then `presence.py`, then `decide.py`."""
