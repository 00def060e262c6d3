"""Logs of calls that were made before routeward decided, and what they teach."""
