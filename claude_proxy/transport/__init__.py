"""The HTTP/1.1 client over httptools, and small asyncio pieces that more than one room needs."""
