"""The checks, one concern a file."""
