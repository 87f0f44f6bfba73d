"""The proof that every check can fail for its own reason and spares every legal server."""
