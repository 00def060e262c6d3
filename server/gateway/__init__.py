"""The gateway: decides, calls the model, falls back, streams, and reports how it went."""
