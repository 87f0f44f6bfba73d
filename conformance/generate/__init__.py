"""Requests that nobody wrote by hand: drawn from the schema, or broken in one place of it."""
