"""aiohttp's protocol of a connection, with a short way for plain replies (`core/sending/plain_reply.py`).

aiohttp's parser, its message and its stream come into play with the first bytes that are no plain reply. Of the
protocol's undocumented parts this module uses `ResponseHandler` with `_loop` and `set_response_params`, and that
`data_received` and `connection_lost` may be overridden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp.client_proto import ResponseHandler

from retention.core.sending.plain_reply import PlainReply, read_plain_reply

if TYPE_CHECKING:
    import asyncio


class ReplyProtocol(ResponseHandler):
    """Hands over a plain reply whole. Bytes that nothing awaits are kept, and make the connection unusable."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._awaited: asyncio.Future[PlainReply | None] | None = None

    def expect(self) -> asyncio.Future[PlainReply | None]:
        """Expect the reply to the request that is written next; its result is None where `read` has to be called."""
        self._awaited = awaited = self._loop.create_future()
        return awaited

    def data_received(self, data: bytes) -> None:
        """Read the first bytes of an awaited reply, or have aiohttp parse them."""
        if (awaited := self._awaited) is None:
            super().data_received(data)
            return
        self._awaited = None
        if (reply := read_plain_reply(data)) is None:
            self._parse()
            super().data_received(data)
        if not awaited.done():  # it is cancelled where its time was over
            awaited.set_result(reply)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Have `read` raise the error of an awaited reply."""
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            self._parse()
        super().connection_lost(exc)
        if awaited is not None and not awaited.done():
            awaited.set_result(None)

    def _parse(self) -> None:
        self.set_response_params(read_until_eof=True, auto_decompress=False)
