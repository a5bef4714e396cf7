"""Any exchange that ccxt knows, through one adapter; ccxt itself is imported only where such an account is used."""
