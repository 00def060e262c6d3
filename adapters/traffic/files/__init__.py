"""Rows of files: comma-separated values and JSON (standard library), Parquet (DuckDB)."""
