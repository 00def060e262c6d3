"""Worlds that policies can be run in, and what they reach there."""
