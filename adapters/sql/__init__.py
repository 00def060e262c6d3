"""The store in SQL: in one SQLite file (`sqlite`), or in PostgreSQL for several replicas (`postgres`)."""
