"""The store in one PostgreSQL, for replicas that share what they learn."""
