"""What measures the gateway: a model that answers at once, callers that count, and what they are run against."""
