"""What every adapter of a venue has to keep to, as checks that are run against a rig of it. Begin at ``venues``."""
