"""Architecture and weights of the two networks."""
