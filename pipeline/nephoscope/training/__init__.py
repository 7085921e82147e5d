"""Training: from the cache to the best checkpoint of every member; start at train.py."""
