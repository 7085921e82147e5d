"""Windows of a large scene: their plan, their weights, and what lies on disk meanwhile."""
