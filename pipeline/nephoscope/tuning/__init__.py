"""Exact tuning of rules: `tune.tune` is the door.

pictures → evidence → search (exact, cell by cell) → plateau (which rule is chosen) → crossfit (what it is worth)
"""
