"""Programs that single checks run inside an image."""
