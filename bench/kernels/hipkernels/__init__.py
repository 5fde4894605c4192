"""Twenty HIP kernels as shared objects in lib/."""
