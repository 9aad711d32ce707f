# SPDX-License-Identifier: Apache-2.0
"""Dockerfile, compose.yaml and deploy/ as plain data. Reads them and judges nothing."""
import glob
import json
import re
import shlex

import yaml

BASE = "deploy/kubernetes/base"
OVERLAY = "deploy/kubernetes/own-model"
YAML_FILES = sorted(glob.glob("deploy/**/*.yaml", recursive=True) + glob.glob("deploy/**/*.yml", recursive=True)
                    + ["compose.yaml"])


def text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def documents(path):
    return list(yaml.safe_load_all(text(path)))


def document(path):
    (only,) = documents(path)
    return only


def only(entries, **wanted):
    """The one entry whose keys have these values."""
    found = [entry for entry in entries if all(entry.get(key) == value for key, value in wanted.items())]
    assert len(found) == 1, f"{len(found)} of {wanted} in {entries}"
    return found[0]


def merged(base, patch):
    """`patch` laid over `base` as kubectl does it: objects by key, lists of objects by name or mount path."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return base | {key: merged(base[key], value) if key in base else value for key, value in patch.items()}
    if isinstance(base, list) and isinstance(patch, list) and all(isinstance(entry, dict) for entry in base + patch):
        key = "mountPath" if "mountPath" in patch[0] else "name"
        by_key = {entry[key]: entry for entry in base}
        for entry in patch:
            by_key[entry[key]] = merged(by_key.get(entry[key], {}), entry)
        return list(by_key.values())
    return patch


def deployments():
    """{folder: (deployment as applied, path of its config file)}"""
    base = document(f"{BASE}/deployment.yaml")
    patched = merged(base, document(f"{OVERLAY}/deployment.yaml"))
    return {BASE: (base, f"{BASE}/config.json"), OVERLAY: (patched, f"{OVERLAY}/config.json")}


def pod(deployment):
    return deployment["spec"]["template"]["spec"]


def container(deployment):
    (one,) = pod(deployment)["containers"]
    return one


def dockerfile():
    """{stage: [(instruction, rest of the line)]}; what precedes the first FROM is stage ""."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text("Dockerfile"), flags=re.MULTILINE)).split("\n")
    stages = {"": []}
    stage = ""
    for line in filter(None, map(str.strip, lines)):
        word, rest = line.split(None, 1)
        if word == "FROM":
            stage = rest.split(" AS ")[1]
            stages[stage] = []
        stages[stage].append((word, rest))
    return stages


def instruction(stage, name):
    """What follows the one `name` of a stage, and of the stages that it is made from if it has none itself."""
    stages = dockerfile()
    found = [rest for word, rest in stages[stage] if word == name]
    if not found:
        return instruction(stages[stage][0][1].split(" AS ")[0], name)
    assert len(found) == 1, f"{len(found)} {name} in stage {stage}"
    return found[0]


def exec_form(stage, name):
    """The words of a CMD, ENTRYPOINT or HEALTHCHECK, which must be a JSON list: no shell in between."""
    return json.loads(re.sub(r"^(--\S+\s+)*(CMD\s+)?", "", instruction(stage, name)))


def unit():
    """The systemd unit as [(section, key, value)]."""
    section, entries = "", []
    for line in text("deploy/systemd/engram-server.service").split("\n"):
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, value = line.split("=", 1)
            entries.append((section, key, value))
    return entries


def unit_value(key):
    (value,) = [value for _, name, value in unit() if name == key]
    return value


def flags_of(words):
    """The names of the long flags among words of a command line."""
    words = shlex.split(words) if isinstance(words, str) else words
    return [word.split("=")[0] for word in words if word.startswith("--")]


def seconds(duration):
    """60, "60", "60s" or "2m"."""
    number, suffix = re.fullmatch(r"(\d+)([sm]?)", str(duration)).groups()
    return int(number) * (60 if suffix == "m" else 1)


def quantity(value):
    """Bytes or processors of a Kubernetes quantity or of a setting of ours: "2Gi", "512MiB", "2"."""
    number, suffix = re.fullmatch(r"(\d+)([KMGT]?i?)B?", str(value)).groups()
    return int(number) * 1024 ** " KMGT".index(suffix[:1] or " ")


PROMQL_WORDS = {"sum", "by", "rate", "changes", "histogram_quantile", "and", "on", "or", "unless"}


def series(expression):
    """[(metric name, [labels asked for])] of a PromQL expression."""
    bare = re.sub(r"\[\w+\]|\bby \([^)]*\)", "", expression)
    found = []
    for name, matchers in re.findall(r"([a-zA-Z_:][\w:]*)(\{[^}]*\})?", bare):
        if name not in PROMQL_WORDS:
            found.append((name, re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", matchers)))
    return found
