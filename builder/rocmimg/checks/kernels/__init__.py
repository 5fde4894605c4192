"""Kernels compiled ahead of time inside an image, packed for a GPU node, and run on one."""
