"""An upstream that answers every profile after a while, holding thousands of requests at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator

from tests.watched import profile


def _answer_to(asked: bytes, body: bytes) -> bytes:
    """The same profile under every name."""
    body = body.replace(b"bench", json.loads(asked)["handle"].encode())
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _serve(delay_seconds: float, videos: int) -> None:
    body = json.dumps(profile("bench", videos=videos, signature="x" * 80)).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length: ")[2].split()[0])
                asked = await reader.readexactly(length)
                await asyncio.sleep(delay_seconds)
                writer.write(_answer_to(asked, body))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def running_upstream(delay_seconds: float, *, videos: int = 5) -> Iterator[str]:
    """Its address; in a process of its own, so that it takes nothing from what is measured."""
    import subprocess

    command = [sys.executable, "-m", "benchmarks.upstream", str(delay_seconds), str(videos)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), int(sys.argv[2])))
