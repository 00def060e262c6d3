"""Models behind HTTP: one small port (`server.ports.Provider`), three formats, one transport."""
