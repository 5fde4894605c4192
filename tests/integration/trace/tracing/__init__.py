"""Trace builds: real Dockerfiles on a real engine, over a base in which external commands record themselves."""

from pathlib import Path

IMAGES = Path(__file__).parents[4] / "images.yaml"
"""The project's own matrix."""
