"""How often patterns occur: maps of many days → shares per cell and period, with intervals."""
