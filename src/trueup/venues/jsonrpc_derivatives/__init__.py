"""The derivatives engine whose methods Deribit and Coinbase's global gateway share, spoken to in JSON-RPC 2.0."""
