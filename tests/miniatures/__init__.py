"""Faulty and odd servers, each as a change to the evidence of an innocent run.

A miniature breaks one thing; it says which requirements turn red by it, and no other may. A variant is odd and
breaks nothing.
"""
