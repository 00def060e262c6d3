"""Bandits and routers of others, on the same requests as the service; ADR 0016 says how they are treated."""
