"""Routeward's own log of decisions: a row per decision with what became of it, as `routeward export` writes it."""
