"""Models behind HTTP: one small port (`server.ports.Provider`), three formats, one transport.

A call goes through these modules, from the outside in:

    chat, errors                    what is asked, what is answered, and what can go wrong
    provider, answer_stream         one model at one endpoint: the answers, whole and in parts, in time and bounded
    endpoint, presets, secret       where a provider is, and how to be let in
    formats/                        what a format translates: the request there, the answer and the failure back
    content_type, sse, json_text, retry_after    parts of HTTP and JSON that they are made of
    transport                       the port to the network
        aiohttp_transport, compression, addresses    what satisfies it, and where it may go
"""
