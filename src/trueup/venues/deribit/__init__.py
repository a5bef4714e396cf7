"""Deribit: futures, perpetuals and pairs."""
