"""A teacher and a distilled student for cloud patterns on one GPU. Start with README.md and run.py."""
