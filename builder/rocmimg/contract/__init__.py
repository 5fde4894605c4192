"""What a framework's source needs from the source of another package, read from the two pins alone.

Nothing is imported and nothing is executed: the texts of both are read from git object stores, folders or wheels.
"""
