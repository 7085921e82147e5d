"""True-colour pictures from NASA's public services, one per satellite, day and tile. Standard library only."""
