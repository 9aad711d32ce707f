# SPDX-License-Identifier: Apache-2.0
"""Compares an answer with the recorded one: what a client can depend on, and not the random weights' words.

Differences that hold everywhere are part of the comparison (docs/API.md lists them):
- every error has the one nested body, with one more key, "reason";
- where vLLM names no parameter, or one with a Python class in it, ours may name the field;
- "usage" always tells of cached tokens; there are no "metrics" of one request;
- every answer has x-request-id.
"""
import json
import re

# Objects whose keys are tokens: how many there are depends on which are equal, so their shape is that of
# their values.
TOKEN_KEYED = {"top_logprobs", "prompt_logprobs"}
# Values that follow from the request alone. For ids that we read, decode or force.
EXACT = {"object", "model", "index", "role", "finish_reason", "stop_reason", "prompt_token_ids", "prompt_text",
         "count", "max_model_len", "prompt_tokens", "completion_tokens", "total_tokens", "parent"}
# Ours alone, or recorded with a flag that this server does not have.
IGNORED = {"prompt_tokens_details", "engram", "metrics"}
# Records whose whole body follows from the request, and those whose words a logit bias forces.
EXACT_BODIES = ("tokenize.", "detokenize.")
FORCED_WORDS = {
    "completions.eos", "completions.eos_ids", "completions.eos_ignored", "completions.eos_ignored_shown",
    "completions.eos_as_stop_token", "completions.stop_token_forced", "completions.stop_token_forced_included",
    "completions.stop_token_forced_ids", "completions.logit_bias", "completions.logit_bias_over",
    "completions.logit_bias_odd_key", "completions.stream_eos_first", "chat.eos", "chat.max_tokens_null",
    "chat.stream_eos_first",
}


def without_classes(param):
    """body.messages.0.ChatCompletionUserMessageParam.role → body.messages.0.role"""
    param = re.sub(r"\.[A-Z]\w+", "", param)
    return re.sub(r"^body\.\d+$", "body.N", param)


def shape(value, exact, key=""):
    """Keys and types; for the keys `exact`, the value."""
    if key in exact:
        return json.dumps(value, ensure_ascii=False)
    if key == "bytes":
        return "bytes"  # how many depends on the token
    if isinstance(value, dict):
        if key in TOKEN_KEYED:
            return {"token": shape(next(iter(value.values())), exact)} if value else {}
        return {k: shape(v, exact, k) for k, v in value.items() if k not in IGNORED}
    if isinstance(value, list):
        return [shape(v, exact, key) for v in value]
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "null" if value is None else "string"


def events(body):
    """The events of a stream: parsed JSON, or the text as it is."""
    found = []
    for event in body.decode("utf-8").split("\n\n"):
        if event:
            assert event.startswith("data: "), event
            data = event[len("data: "):]
            found.append(data if data == "[DONE]" else json.loads(data))
    # Events of different choices may come in any order, those of one choice not.
    return sorted(found, key=choice_index)


def choice_index(event):
    return event["choices"][0]["index"] if isinstance(event, dict) and event.get("choices") else 1 << 30


def first_difference(theirs, ours, path=""):
    """Where two shapes part, in words; None if they do not."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if theirs.keys() != ours.keys():
            return f"{path}: keys {sorted(theirs.keys() ^ ours.keys())} on one side only"
        pairs = [(f"{path}.{k}", theirs[k], ours[k]) for k in theirs]
    elif isinstance(theirs, list) and isinstance(ours, list):
        if len(theirs) != len(ours):
            return f"{path}: {len(theirs)} entries recorded, {len(ours)} here"
        pairs = [(f"{path}[{i}]", t, o) for i, (t, o) in enumerate(zip(theirs, ours))]
    else:
        return None if theirs == ours else f"{path}: recorded {theirs}, here {ours}"
    for where, t, o in pairs:
        found = first_difference(t, o, where)
        if found:
            return found
    return None


def error(theirs, ours):
    """Differences of two error bodies; theirs may be any of vLLM's five kinds."""
    assert set(ours) == {"error"} and set(ours["error"]) == {"message", "type", "param", "code", "reason"}, ours
    assert ours["error"]["message"] and ours["error"]["reason"], ours
    recorded = theirs.get("error") if isinstance(theirs, dict) else None
    if not isinstance(recorded, dict):
        return {}
    differing = {}
    if recorded["type"] != ours["error"]["type"]:
        differing["type"] = ours["error"]["type"]
    param = ours["error"]["param"]
    if recorded["param"] is not None:
        if param is None or without_classes(recorded["param"]) != without_classes(param):
            differing["param"] = param
    return differing


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def http(recorded, answer, name):
    """What differs between a recorded answer and ours, as {aspect: ours}."""
    if answer is None:
        return {"status": 0}
    assert answer.header("x-request-id") or answer.status in (400, 408, 413, 414, 431), answer.headers
    assert answer.header("date") and answer.header("server"), answer.headers
    differing = {}
    if answer.status != recorded["status"]:
        differing["status"] = answer.status
    if answer.status >= 400:
        if answer.body:
            theirs = parsed("".join(recorded["frames"]).split("\n")[0][len("data: "):]
                            if "frames" in recorded else recorded.get("body") or "null")
            differing.update(error(theirs, json.loads(answer.body)))
        return differing
    if recorded["status"] >= 300:
        return differing
    where = None
    exact = EXACT | {"text", "content", "token_ids"} if name in FORCED_WORDS else EXACT
    if "frames" in recorded:
        theirs = events("".join(recorded["frames"]).encode())
        where = first_difference(shape(theirs, exact), shape(events(answer.body), exact))
    elif (theirs := parsed(recorded.get("body") or "")) is not None:
        ours = json.loads(answer.body)
        if name.startswith(EXACT_BODIES):
            where = None if theirs == ours else f"recorded {theirs}, here {ours}"
        else:
            where = first_difference(shape(theirs, exact), shape(ours, exact))
    if where:
        differing["body"] = where
    return differing
