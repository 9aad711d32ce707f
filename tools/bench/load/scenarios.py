# SPDX-License-Identifier: Apache-2.0
"""The scenarios of a load proof. Each puts a load on a server and adds rows and checks to the proof."""
import asyncio
import tempfile
import time

import bad_clients
from bench_client import other_errors, refusal_ms, refused
from server_under_load import wait_until

IDLE_SECONDS = 10  # within which a server that nobody asks must be at rest
MEMORY_SLACK_MIB = 48  # an allocator's, not a leak's
REFUSED_AT_ONCE_MS = 100
OVERLOAD_SHARE = 0.9
STALLED_CLIENTS, STALLED_CHOICES = 4, 16  # answers of about 9 MB: Linux buffers 4 MiB of a connection at most


def memory_is_level(proof, server, what, before):
    """After a scenario the server is idle, and memory and files are what they were."""
    idle = wait_until(server.is_idle, IDLE_SECONDS)
    proof.check(f"{what}: idle afterwards, no cache block in use", idle)
    # The kernel may still be taking down connections that were just closed.
    level = wait_until(lambda: server.open_files() <= before["files"], IDLE_SECONDS)
    after = {"files": server.open_files(), "mib": server.resident_mib()}
    proof.check(f"{what}: open files {before['files']} before, {after['files']} after", level)
    proof.check(f"{what}: resident {before['mib']:.0f} MiB before, {after['mib']:.0f} MiB after",
                after["mib"] <= before["mib"] + MEMORY_SLACK_MIB, full=True)


def state_of(server):
    return {"files": server.open_files(), "mib": server.resident_mib()}


def capacity(proof, bench, seconds, concurrency):
    """The most that a closed loop gets out of the server: the measure of the loads that follow."""
    result = bench.run("--max-concurrency", str(concurrency), "--duration", str(seconds), *proof.objectives)
    proof.row(f"closed loop, {concurrency} at once", result)
    proof.check("closed loop: no request failed", result["failed"] == 0)
    return result


def open_loop(proof, bench, seconds, share, most):
    """`share` of the capacity `most`, Poisson."""
    rate = share * most["request_throughput"]
    result = bench.run("--request-rate", f"{rate:.3f}", "--duration", str(seconds), *proof.objectives)
    proof.row(f"open loop, {share:.0%} of capacity ({rate:.1f} req/s)", result)
    proof.check(f"{share:.0%}: nothing failed but refusals", not other_errors(result), detail=other_errors(result))
    return result


def below_capacity(proof, bench, seconds, most):
    result = open_loop(proof, bench, seconds, 0.8, most)
    proof.check("80%: nobody was refused", refused(result) == 0, full=True)


def above_capacity(proof, bench, seconds, most):
    result = open_loop(proof, bench, seconds, 1.5, most)
    p99 = refusal_ms(result, 99)
    proof.check(f"150%: refusals took {p99:.1f} ms at p99 (at most {REFUSED_AT_ONCE_MS})", p99 <= REFUSED_AT_ONCE_MS,
                full=True)
    proof.check(f"150%: {refused(result)} were refused", refused(result) > 0, full=True)
    share = result["request_goodput"] / most["request_goodput"] if most["request_goodput"] > 0 else 0
    proof.check(f"150%: goodput is {share:.2f} of the closed loop's (at least {OVERLOAD_SHARE})",
                share >= OVERLOAD_SHARE, full=True)
    ratio = result["p99_tpot_ms"] / max(most["p99_tpot_ms"], 1e-9)
    proof.check(f"150%: p99 TPOT of those that run is {ratio:.2f} of the closed loop's (at most 1.5)", ratio <= 1.5,
                full=True)


def many_streams(proof, bench, streams, seconds):
    """`streams` streams that are open at once, all through the time."""
    server = bench.server
    before = state_of(server)
    result = bench.run("--max-concurrency", str(streams), "--duration", str(seconds))
    proof.row(f"{streams} streams at once, {seconds:g} s", result)
    proof.check(f"{streams} streams: no request failed", result["failed"] == 0, detail=result["errors_by_kind"])
    proof.check(f"{streams} streams: so many were open at once", result["max_concurrent_requests"] == streams)
    memory_is_level(proof, server, f"{streams} streams", before)


def cancel_storm(proof, bench, clients, seconds):
    server = bench.server
    before = state_of(server)
    left = bad_clients.cancel_storm(server.http_port, clients, seconds)
    proof.check(f"cancel storm: {left} HTTP requests left by {clients} clients in {seconds:g} s", left > 0)
    # A deadline is how a gRPC client leaves.
    result = bench.run("--max-concurrency", str(clients), "--duration", str(seconds), "--request-timeout-sec", "0.05",
                       backend="grpc")
    timeouts = result["errors_by_kind"].get("timeout", 0)
    proof.check(f"cancel storm: {timeouts} gRPC requests left at their deadline of 50 ms, and no other error",
                timeouts == result["failed"], detail=result["errors_by_kind"])
    memory_is_level(proof, server, "cancel storm", before)


def slow_readers(proof, bench, clients, seconds):
    """Ordinary requests beside clients that read 320 bytes a second."""
    server = bench.server
    before = state_of(server)

    async def beside():
        end = time.monotonic() + seconds + 1
        readers = [asyncio.create_task(bad_clients.read_slowly(server.http_port, end)) for _ in range(clients)]
        await asyncio.sleep(1)  # they have their first bytes by then
        with tempfile.TemporaryDirectory() as folder:
            process = bench.start(folder, "--max-concurrency", "8", "--duration", str(seconds))
            result = await asyncio.to_thread(bench.result, process, folder)
        await asyncio.gather(*readers)
        return result

    result = asyncio.run(beside())
    proof.row(f"8 at once beside {clients} slow readers", result)
    proof.check("slow readers: no ordinary request failed", result["failed"] == 0, detail=result["errors_by_kind"])
    memory_is_level(proof, server, "slow readers", before)


def never_readers(proof, bench, clients, seconds):
    """Clients that never read. An answer of this size lies in the kernel's buffers, and the server is done."""
    server = bench.server
    before = state_of(server)
    peak_mib = 0.0

    async def hold():
        nonlocal peak_mib
        end = time.monotonic() + seconds
        readers = [asyncio.create_task(bad_clients.never_read(server.http_port, end)) for _ in range(clients)]
        while not all(reader.done() for reader in readers):
            peak_mib = max(peak_mib, server.resident_mib())
            await asyncio.sleep(0.2)

    asyncio.run(hold())
    proof.check(f"never-reading clients: {clients} of them held {peak_mib - before['mib']:.0f} MiB at most "
                "(at most 1 MiB each)", peak_mib - before["mib"] <= clients + MEMORY_SLACK_MIB, full=True)
    memory_is_level(proof, server, "never-reading clients", before)


def stalled_readers(proof, bench, seconds):
    """Clients that never read an answer larger than all buffers on the way: the server must hang up by itself."""
    server = bench.server
    before = state_of(server)

    async def wait():
        end = time.monotonic() + seconds
        return await asyncio.gather(*(bad_clients.never_read(server.http_port, end, choices=STALLED_CHOICES)
                                      for _ in range(STALLED_CLIENTS)))

    cut = sum(asyncio.run(wait()))
    proof.check(f"stalled clients: the server hung up on {cut} of {STALLED_CLIENTS}", cut == STALLED_CLIENTS)
    memory_is_level(proof, server, "stalled clients", before)


def latency_table(proof, bench, seconds):
    """HTTP against gRPC, the same prompts, alternating so that both see the same machine."""
    for concurrency in (1, 8, 32):
        for backend in ("openai", "grpc"):
            result = bench.run("--max-concurrency", str(concurrency), "--duration", str(seconds), "--num-warmups", "4",
                               backend=backend)
            proof.latency(backend, concurrency, result)
            proof.check(f"{backend}, {concurrency} at once: no request failed", result["failed"] == 0,
                        detail=result["errors_by_kind"])
