"""The least that a gateway of these libraries costs: `python -m benchmarks._gateway.relay URL` prints its port.

aiohttp's server reads a request, aiohttp's client sends it on, the answer goes back as it came. Nothing is parsed.
"""

import asyncio
import sys

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web


async def serve(base_url: str) -> None:
    """Relay to a base URL until it is terminated."""
    async with ClientSession(
        connector=TCPConnector(limit=0), timeout=ClientTimeout(total=60), auto_decompress=False
    ) as session:

        async def relay(request: web.Request) -> web.Response:
            body = await request.read()
            headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-bench"}
            async with session.post(f"{base_url}/chat/completions", data=body, headers=headers) as response:
                answer = await response.read()
            return web.Response(body=answer, status=response.status, content_type="application/json")

        application = web.Application()
        application.router.add_post("/v1/chat/completions", relay)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
