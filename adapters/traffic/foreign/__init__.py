"""Logs that other programs wrote."""
