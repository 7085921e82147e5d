"""The web app `nephoscope serve`: a page for people, and a JSON API for programs. Start at `server.py`."""
