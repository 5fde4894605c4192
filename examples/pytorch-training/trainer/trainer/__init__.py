"""A training loop just large enough to show that the image works."""
