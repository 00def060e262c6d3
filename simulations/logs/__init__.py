"""Invented traffic logs: what they hold is drawn from a world whose truth is known."""
