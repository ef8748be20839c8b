"""An AWS that accepts every ``PublishBatch`` and holds one secret, as a process of its own."""

import asyncio
import json
import re
from functools import lru_cache

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb"member\.\d+\.Id=([^&]*)")
_BODY = (
    b'<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">'
    b"<PublishBatchResult><Failed/><Successful>%s</Successful></PublishBatchResult>"
    b"<ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId>"
    b"</ResponseMetadata></PublishBatchResponse>"
)
_MEMBER = b"<member><MessageId>00000000-0000-0000-0000-000000000000</MessageId><Id>%s</Id></member>"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
_SECRET = json.dumps(
    {"SecretString": json.dumps({"tenantId": "eu-west-2_AbcdEfghI", "apiSecret": "a-secret"})}
).encode()


@lru_cache(maxsize=64)
def _answer(ids: tuple[bytes, ...]) -> bytes:
    body = _BODY % b"".join(_MEMBER % name for name in ids)
    return _HEAD % len(body) + body


class _Connection(asyncio.Protocol):
    """One client's requests, one after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = bytearray()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, end)
            assert length is not None, "a request without a length"
            start, stop = end + 4, end + 4 + int(length[1])
            if len(self._received) < stop:
                return
            if b"secretsmanager.GetSecretValue" in self._received[:end]:
                answer = _HEAD % len(_SECRET) + _SECRET
            else:
                answer = _answer(tuple(_ID.findall(self._received[start:stop])))
            del self._received[:stop]
            self._transport.write(answer)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"ready": True, "url": f"http://127.0.0.1:{port}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
