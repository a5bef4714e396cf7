"""How positions are built: sizes, additions, stops. Pure arithmetic; deciding and sending stand elsewhere."""
