"""What a built image must show: one small check per file, run by pytest and testinfra, one probe per image.

A check is a function that takes the fixture ``image`` (and ``host``, testinfra's, where it likes) and returns, or ends
itself with one of the verdicts below. A project's own checks import the same five names.
"""

from rocmimg.checks.api import Image, check, fail, not_applicable, not_run

__all__ = ["Image", "check", "fail", "not_applicable", "not_run"]
