"""The shell that runs it all: the ledger, its views, the store, and what people do with them."""
