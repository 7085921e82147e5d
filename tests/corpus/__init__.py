"""Bad and odd inputs of every kind, drawn by code from a few seeds: `python -m tests.corpus FOLDER` writes them."""
