"""Several server processes on one address: a supervisor that starts, restarts and replaces its workers."""
