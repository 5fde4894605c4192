"""A container registry's HTTP API: manifests, tags, blobs, referrers. Images themselves travel through the engine."""

from rocmimg.registry.reference import Reference, parse
from rocmimg.registry.types import INDEX_TYPES, Descriptor, Manifest

__all__ = ["INDEX_TYPES", "Descriptor", "Manifest", "Reference", "parse"]
