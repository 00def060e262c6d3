"""Parquet whose rows need no reading one by one: the database codes them, and whoever adds them up does so there."""
