"""Backups of journals: frames in compressed chunks at a destination, and manifests that say what belongs together."""
