"""What leaves the house: submissions, portable models, pages."""
