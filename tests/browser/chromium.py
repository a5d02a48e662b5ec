"""A real Chromium, driven over its DevTools protocol: the browser itself decides what a page may do."""

import asyncio
import base64
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import IO, Any

import aiohttp

FLAGS = (
    "--headless",
    "--no-sandbox",  # it cannot have one when root starts it, as CI does
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Newer browsers ask the user before a page may reach this machine, and a user may click yes.
    "--disable-features=LocalNetworkAccessChecks,HttpsUpgrades",
    "--host-resolver-rules=MAP *.example 127.0.0.1",
    "--remote-debugging-port=0",
)
PATIENCE = 30  # seconds for any one step, on a machine that has much else to do


@contextmanager
def chromium() -> Iterator[str]:
    """Chromium with a home of its own, to which all of `.example` is this machine; yields its DevTools URL."""
    with (
        # Its processes may outlive it by a moment. Not pytest's directory: the path of a socket has to be short.
        tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home,
        subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={home}/profile", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "TMPDIR": home},
        ) as process,
    ):
        assert process.stderr is not None
        try:
            yield _address(process.stderr)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _address(stderr: IO[str]) -> str:
    """What Chromium says of itself. Whatever else it says is read for as long as it runs, or it would have to wait."""
    said = []
    for line in stderr:
        said.append(line)
        if line.startswith("DevTools listening on "):
            threading.Thread(target=stderr.read, daemon=True).start()
            return line.split()[-1]
    raise OSError("Chromium did not start: " + "".join(said))


class Page:
    """One tab of a browser session of its own."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._session: str | None = None
        self._calls = 0
        self._events: list[dict[str, Any]] = []

    async def open(self, url: str) -> None:
        """Go to `url`, as if it was typed into the address bar, and wait until it is loaded."""
        await self._call("Page.bringToFront")  # a page behind a window that it opened puts much off
        self._events.clear()
        loader = (await self._call("Page.navigate", url=url))["loaderId"]
        await self._event("Page.lifecycleEvent", loaderId=loader, name="load")

    async def run(self, javascript: str, **names: object) -> Any:
        """What the body of an async function returns in this page, as after a click; it knows `names`."""
        known = "".join(f"const {name} = {json.dumps(value)};" for name, value in names.items())
        done = await self._call(
            "Runtime.evaluate",
            expression=f"(async () => {{ {known} {javascript} }})()",
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def look(self, *, dark: bool = False, width: int = 1200, height: int = 900) -> None:
        """Show pages as on a screen of this size, with a dark or a light theme preferred."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._call("Emulation.setEmulatedMedia", features=[scheme])

    async def screenshot(self) -> bytes:
        """The whole page as a PNG."""
        taken = await self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(taken["data"])

    async def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key, as `Tab` with code 9."""
        named = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        await self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **named)
        await self._call("Input.dispatchKeyEvent", type="keyUp", **named)

    async def allow_any_script(self) -> None:
        """Let the next page run scripts that its policy forbids, such as a test's own."""
        await self._call("Page.setBypassCSP", enabled=True)

    async def problems(self) -> list[str]:
        """What the browser has complained about since the page was opened: exceptions, blocked or failed loads."""
        await self._call("Page.getFrameTree")  # events before its reply have then arrived
        found = []
        for event in self._events:
            match event:
                case {
                    "method": "Log.entryAdded",
                    "params": {"entry": {"level": "error" | "warning", "text": text, **more}},
                }:
                    found.append(f"{text} {more.get('url', '')}")
                case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                    found.append(str(details))
        return found

    async def attach(self) -> str:
        """Make the tab; returns the browser context, which `dispose` wants."""
        context = (await self._call("Target.createBrowserContext"))["browserContextId"]
        target = await self._call("Target.createTarget", url="about:blank", browserContextId=context)
        self._session = (await self._call("Target.attachToTarget", **target, flatten=True))["sessionId"]
        for domain in ("Page", "Log", "Runtime"):
            await self._call(f"{domain}.enable")
        await self._call("Page.setLifecycleEventsEnabled", enabled=True)
        return str(context)

    async def dispose(self, context: str) -> None:
        self._session = None
        await self._call("Target.disposeBrowserContext", browserContextId=context)

    async def _call(self, method: str, **params: object) -> dict[str, Any]:
        self._calls += 1
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send_json({"id": self._calls, "method": method, "params": params, **session})
        async with asyncio.timeout(PATIENCE):
            while (message := await self._socket.receive_json()).get("id") != self._calls:
                self._events.append(message)
        assert "error" not in message, message
        return dict(message["result"])

    async def _event(self, method: str, **params: object) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(
                event["method"] == method and event["params"].items() >= params.items() for event in self._events
            ):
                self._events.append(await self._socket.receive_json())


@asynccontextmanager
async def new_page(devtools: str) -> AsyncIterator[Page]:
    """A tab of the Chromium at `devtools`, with no cookies, no cache and no history; gone afterwards."""
    async with aiohttp.ClientSession() as client, client.ws_connect(devtools, max_msg_size=0) as socket:
        page = Page(socket)
        context = await page.attach()
        try:
            yield page
        finally:
            await page.dispose(context)
