"""A real store with faults that tests choose."""

from adapters.ledger import StoreUnavailableError


class FragileStore:
    """A real store that fails, hangs, or forgets to say that it wrote, when a test says so."""

    def __init__(self, store):
        self.store = store
        self.down = False
        self.full = False
        self.hanging = None
        self.silent = False

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def prepare(self):
        if self.down:
            raise StoreUnavailableError("no route to the database")

    async def write(self, records):
        if self.hanging:
            await self.hanging.wait()
        if self.down or self.full:
            raise StoreUnavailableError("no space left")
        written = await self.store.write(records)
        if self.silent:
            raise StoreUnavailableError("the answer was lost")
        return written

    async def compact(self, now_us):
        if self.full:
            raise StoreUnavailableError("no space left")
        await self.store.compact(now_us)

    async def load(self, namespace, **options):
        if self.down:
            raise StoreUnavailableError("no space left")
        return await self.store.load(namespace, **options)
