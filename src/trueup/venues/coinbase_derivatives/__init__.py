"""Coinbase's gateway to global derivatives: perpetuals and futures on Deribit's engine."""
