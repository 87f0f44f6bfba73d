"""Mutation testing of our own code: `nox -s mutants`."""
