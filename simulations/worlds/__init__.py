"""Worlds by configuration: a TOML file says what is asked, of which table, when, and what happens meanwhile."""
