"""What every request and response passes: the limit of the body, and headers for the browser."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Scripts and styles are the page's own files; nothing is loaded from elsewhere.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Guard:
    """Refuse bodies that are too large before they are read whole, and add headers.

    Parameters
    ----------
    app
        The application.
    max_body
        The largest number of bytes of a body.

    """

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app, self._max_body = app, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        body = await self._body(scope, receive)
        if body is None:
            refused = JSONResponse(
                {"detail": f"The request has more than {self._max_body:,} bytes. Send less."}, 413
            )
            refused.headers["Connection"] = "close"  # the rest of the body is not read
            await refused(scope, receive, send_with_headers)
            return
        unread = True

        async def receive_body() -> Message:
            nonlocal unread
            if not unread:
                return await receive()
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive_body, send_with_headers)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body; ``None`` if it is too large."""
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_body:
            return None
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_body:
                return None
            more = message.get("more_body", False)
        return bytes(body)
