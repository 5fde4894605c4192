"""What runs inside an image to see what is there: once an image, standard library only, Python 3.8 or later.

The host packs this folder into one archive (``rocmimg.checks.run_probe``) and has the image's own interpreter run it.
Nothing here judges; the checks do. Modules import each other relatively, so they work in the archive and, for the
host's own use and tests, as a part of rocmimg.
"""
