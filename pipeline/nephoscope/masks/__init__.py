"""Arrays only: what a mask is, how it is written down, and the rule that decides it."""
