"""Adapters to venues: parsing is pure (bytes in, facts out) and apart from transport; no venue knows another."""
