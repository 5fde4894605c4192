"""rocmimg builds, proves and promotes ROCm container images."""

__version__ = "0.1.0"
