"""Nothing unproven gets a public name: candidates, their proofs, the gate, promotion and its way back.

All state is in the registry: candidates are tags, everything else is attached to an image's digest as OCI artifacts.
"""
