"""trueup's own format, for venues and programs it does not know: one fact a row (docs/generic-format.md)."""
