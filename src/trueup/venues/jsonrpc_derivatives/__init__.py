"""The derivatives engine whose methods Deribit and Coinbase's global gateway share, read through JSON-RPC 2.0."""
