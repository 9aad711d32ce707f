# SPDX-License-Identifier: Apache-2.0
"""HTTP clients that no benchmark is: they read slowly, never, or leave in the middle of an answer."""
import asyncio
import json
import random
import socket
import struct
import time

RECEIVE_BUFFER_BYTES = 4096  # so that what is not read fills the server's side soon


def stream_request(tokens, logprobs=None, choices=1):
    """The bytes of a streamed completion of exactly `tokens` tokens in each of its choices."""
    body = {"model": "engram-demo", "prompt": "Once upon a time", "max_tokens": tokens, "ignore_eos": True,
            "stream": True, "n": choices, "temperature": 1}
    if logprobs is not None:
        body["logprobs"] = logprobs
    data = json.dumps(body).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    return head.encode() + b"\r\n\r\n" + data


async def connect(port):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    return made


async def _leave_in_the_middle(port, seed, end, counts):
    """One client after another that goes away at a random moment, half of them without a good-bye."""
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    while time.monotonic() < end:
        with await connect(port) as made:
            await loop.sock_sendall(made, stream_request(500))
            for _ in range(rng.randrange(3)):
                try:
                    await asyncio.wait_for(loop.sock_recv(made, 4096), 1)
                except (asyncio.TimeoutError, OSError):
                    break
            await asyncio.sleep(rng.random() * 0.2)
            if rng.random() < 0.5:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        counts["left"] += 1


def cancel_storm(port, clients, seconds):
    """How many requests were left by `clients` clients in `seconds`."""
    counts = {"left": 0}

    async def storm():
        end = time.monotonic() + seconds
        await asyncio.gather(*(_leave_in_the_middle(port, i, end, counts) for i in range(clients)))

    asyncio.run(storm())
    return counts["left"]


async def read_slowly(port, end):
    """Reads 64 bytes every 0.2 s, then leaves."""
    loop = asyncio.get_running_loop()
    with await connect(port) as made:
        await loop.sock_sendall(made, stream_request(900))
        while time.monotonic() < end:
            if not await loop.sock_recv(made, 64):
                return
            await asyncio.sleep(0.2)


async def never_read(port, end, choices=1):
    """Asks and waits until the server hangs up, or `end`. True: it did."""
    loop = asyncio.get_running_loop()
    with await connect(port) as made:
        await loop.sock_sendall(made, stream_request(900, logprobs=5, choices=choices))
        # A connection that was cut is seen by writing; what is written is never the server's next request.
        while time.monotonic() < end:
            await asyncio.sleep(0.5)
            try:
                made.send(b"\r\n")
            except BlockingIOError:
                pass
            except OSError:
                return True
    return False
