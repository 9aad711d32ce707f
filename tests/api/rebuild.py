# SPDX-License-Identifier: Apache-2.0
"""Requests as they were sent: the recording cuts a few that are megabytes long."""
import base64

WORD = "word "


def long_bodies():
    """The trimmed bodies, by record."""
    deep = '{"model":"tiny","prompt":"Hello world","max_tokens":2,"foo":' + "[" * 100000 + "]" * 100000 + "}"
    number = '{"model":"tiny","prompt":"Hello world","temperature":0,"max_tokens":' + "9" * 5000 + "}"
    text = '{"model":"tiny","prompt":"Hello world","max_tokens":2,"temperature":0,"foo":"' + "x" * 6000000 + '"}'
    prompt = '{"model": "tiny", "prompt": "' + WORD * 600000 + '", "max_tokens": 4, "temperature": 0}'
    return {
        "completions.json_deep_100000": deep,
        "completions.json_big_number": number,
        "completions.json_big_unknown": text,
        "completions.prompt_huge_string": prompt,
    }


def body_of(record):
    request = record["request"]
    if "body_base64" in request:
        return base64.b64decode(request["body_base64"])
    body = request.get("body")
    if request.get("body_trimmed"):
        body = long_bodies()[record["id"]]
        # The exact text is not recorded, only how long it was.
        assert abs(len(body) - request["body_len"]) < 100, (record["id"], len(body), request["body_len"])
    return None if body is None else body.encode("utf-8", "surrogatepass")


def path_of(record):
    path = record["request"]["path"]
    length = record["request"].get("path_len")
    return path if length is None else path.rstrip("…").ljust(length, "x")


def headers_of(record):
    headers = [(name, value) for name, value in record["request"]["headers"]]
    if any(name == "…" for name, _ in headers):
        return [(f"x-h{i}", "1") for i in range(300)]
    return headers


def request_of(record):
    return {"method": record["request"]["method"], "path": path_of(record), "headers": headers_of(record),
            "body": body_of(record)}
