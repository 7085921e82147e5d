"""Batches and steps: how a network learns from the cache."""
