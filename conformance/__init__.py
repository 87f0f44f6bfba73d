"""A conformance suite for the ScaiGrid Chat Completions API and what speaks like it."""

__version__ = "0.1.0"
