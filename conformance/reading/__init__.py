"""Interpretations of an exchange. Each says what it cannot see instead of guessing."""
