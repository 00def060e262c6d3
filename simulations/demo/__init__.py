"""The demo: the real server, learning from the traffic of a table's prompts."""
