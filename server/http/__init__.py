"""The HTTP edge: OpenAI's API for callers, over the call loop of `server.gateway`."""
