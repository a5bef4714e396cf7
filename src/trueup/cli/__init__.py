"""The command line: verbs by group; use cases live in ``engine``, tables in ``render``, JSON in ``shapes``."""
