"""Scripts and sources that travel into images: Python 3.8, nothing of this project imported."""
