"""Finds the rules with the best Dice, by an exact search. Start at `tune.tune`."""
