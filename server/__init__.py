"""The service: composition root, use cases, edges, and the ports that adapters satisfy."""
