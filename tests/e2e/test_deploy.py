# SPDX-License-Identifier: Apache-2.0
"""Dockerfile, compose.yaml, deploy/ and docs/OPERATIONS.md against the binary that they deploy: every port,
path, flag, metric, version and stop time that they name is the server's."""
import json
import os
import re
import shutil
import subprocess
import urllib.request

import grpc
import pytest

import deploy_files as files
import grpc_stubs
from grpc_stubs import pb
from server_process import BINARY, DEMO

BENCH = "tools/bench/serve/engram-bench"
CONFIG_IN_PLACE = "/etc/engram-server/config.json"
GUIDE = "docs/OPERATIONS.md"
API_VERSIONS = {"Deployment": "apps/v1", "Service": "v1", "HorizontalPodAutoscaler": "autoscaling/v2",
                "PodDisruptionBudget": "policy/v1", "Kustomization": "kustomize.config.k8s.io/v1beta1"}
BOTH = pytest.mark.parametrize("folder", sorted(files.deployments()))


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def settings(config="config/examples/container.json"):
    """All settings of the server when it reads this file."""
    return json.loads(output(BINARY, "--config", config, "--print-config"))


def default_ports():
    made = settings()
    return {"http": made["http-port"], "grpc": made["grpc-port"]}


def flags(*command):
    """The flags that a command's --help lists."""
    found = set()
    for negation, name in re.findall(r"(?<![\w-])--(\[no-\])?([a-z][\w-]*)", output(*command, "--help")):
        found |= {f"--{name}"} | ({f"--no-{name}"} if negation else set())
    return found


def end_seconds():
    """What a drain may take on top of its timeout: to end what is left and to deliver the answers."""
    return sum(int(re.search(rf"{name}{{(\d+)}}", files.text("server/main.cc"))[1])
               for name in ("kAbortGrace", "kAnswerGrace"))


def stop_seconds(config):
    return settings(config)["drain-timeout"] + end_seconds()


def kubernetes_objects():
    return [one for path in files.YAML_FILES if path.startswith("deploy/kubernetes/")
            for one in files.documents(path) if "kind" in one]


def named(kind, name="engram-server"):
    (found,) = [one for one in kubernetes_objects()
                if one["kind"] == kind and one["metadata"]["name"] == name and "selector" in one["spec"]]
    return found


def hpa():
    return files.document(f"{files.BASE}/hpa.yaml")


# ---- Ports and paths ----

def test_published_ports_are_the_defaults():
    ports = default_ports()
    assert files.instruction("server", "EXPOSE").split() == [str(ports["http"]), str(ports["grpc"])]
    compose = files.document("compose.yaml")["services"]
    assert compose["server"]["ports"] == [f"127.0.0.1:{port}:{port}" for port in ports.values()]
    (base_url,) = [word for word in compose["bench"]["command"] if word.startswith("--base-url=")]
    assert base_url == f"--base-url=http://server:{ports['http']}"
    (job,) = files.document("deploy/prometheus/prometheus.yml")["scrape_configs"]
    assert job["static_configs"][0]["targets"] == [f"127.0.0.1:{ports['http']}"]


@BOTH
def test_kubernetes_ports_are_those_of_its_config(folder):
    deployment, config = files.deployments()[folder]
    ports = {"http": settings(config)["http-port"], "grpc": settings(config)["grpc-port"]}
    container = files.container(deployment)
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == ports
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["http"])
    for service in [one for one in kubernetes_objects() if one["kind"] == "Service"]:
        for port in service["spec"]["ports"]:
            assert port["port"] == ports[port["targetPort"]], port


def test_ports_in_the_guide_are_the_defaults():
    named_ports = {int(port) for port in re.findall(r"(?:127\.0\.0\.1|localhost|pods):(\d+)", files.text(GUIDE))}
    assert named_ports <= set(default_ports().values())


@BOTH
def test_probes_ask_what_exists(folder, demo):
    deployment, _ = files.deployments()[folder]
    container = files.container(deployment)
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: get["path"] for name, get in probes.items()} == {
        "startupProbe": "/live", "livenessProbe": "/live", "readinessProbe": "/ready"}
    for get in probes.values():
        assert get["port"] == "http"
        assert demo.get(get["path"])[0] == 200


def test_scraped_paths_exist(demo):
    deployment, _ = files.deployments()[files.BASE]
    (job,) = files.document("deploy/prometheus/prometheus.yml")["scrape_configs"]
    for path in (job["metrics_path"], deployment["spec"]["template"]["metadata"]["annotations"]["prometheus.io/path"]):
        assert "vllm:num_requests_running" in demo.get(path)[1]


# ---- Metrics ----

@pytest.fixture(scope="module")
def metrics(demo):
    """{name of a series: its labels} after one request on each transport."""
    body = json.dumps({"model": "engram-demo", "prompt": "x", "max_tokens": 2}).encode()
    request = urllib.request.Request(demo.url + "/v1/completions", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=60).close()
    channel, stub = grpc_stubs.connect(demo)
    with channel:
        stub.Generate(pb.GenerateRequest(prompt="x", max_tokens=1), timeout=60)
    demo.wait_idle()
    lines = re.findall(r"^([\w:]+)(?:\{(.*)\})? \S+$", demo.get("/metrics")[1], re.MULTILINE)
    return {name: set(re.findall(r'(\w+)="', labels)) for name, labels in lines}


def check_series(metrics, expression, added):
    found = files.series(expression)
    assert found, expression
    for name, labels in found:
        if name == "up":  # Prometheus' own
            continue
        assert name in metrics, f"the server has no metric {name}"
        assert set(labels) <= metrics[name] | added, f"{name} has no such label: {labels}"


def test_alerts_read_metrics_that_exist(metrics):
    for group in files.document("deploy/prometheus/alerts.yml")["groups"]:
        for rule in group["rules"]:
            check_series(metrics, rule["expr"], added={"job", "instance"})
            assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]


def test_grpc_codes_of_the_alerts_exist():
    (codes,) = re.findall(r'grpc_code=~"([^"]+)"', files.text("deploy/prometheus/alerts.yml"))
    assert set(codes.split("|")) <= {code.name for code in grpc.StatusCode}


def test_autoscaler_reads_what_the_adapter_makes(metrics):
    rules = files.document("deploy/kubernetes/prometheus-adapter.yaml")["rules"]["custom"]
    for rule in rules:
        check_series(metrics, rule["seriesQuery"], added={"namespace", "pod"})
    wanted = [metric["pods"]["metric"]["name"] for metric in hpa()["spec"]["metrics"]]
    assert sorted(wanted) == sorted(rule["name"]["as"] for rule in rules)


def test_autoscaler_grows_before_the_batch_is_full():
    running = files.only([metric["pods"] for metric in hpa()["spec"]["metrics"]],
                         metric={"name": "engram_requests_running"})
    wanted = int(running["target"]["averageValue"])
    for _, config in files.deployments().values():
        assert wanted == settings(config)["max-num-seqs"] * 3 // 4


def test_metrics_in_the_guide_exist(metrics):
    named_metrics = re.findall(r"`((?:vllm:|engram:|http_|grpc_server|process_)[\w:]+)", files.text(GUIDE))
    assert named_metrics
    on_demand = {"engram:http_requests_client_disconnected_total"}  # there once a client has left
    for name in set(named_metrics) - on_demand:
        assert name in metrics or name + "_count" in metrics, f"{GUIDE}: no metric {name}"


# ---- Flags and configs ----

def test_flags_exist():
    server, healthcheck, bench = flags(BINARY), flags(BINARY, "healthcheck"), flags(BENCH, "serve")
    assert set(files.flags_of(files.exec_form("server", "ENTRYPOINT"))) <= server
    assert set(files.flags_of(files.unit_value("ExecStart"))) <= server
    assert set(files.flags_of(files.exec_form("server", "HEALTHCHECK"))) <= healthcheck
    assert set(files.flags_of(files.document("compose.yaml")["services"]["bench"]["command"])) <= bench
    in_comments = re.findall(r"(?<=[\"\s])(--[a-z][\w-]*)", "".join(re.findall(
        r"^\s*# .*\n", files.text("deploy/systemd/engram-server.service"), re.MULTILINE)))
    assert in_comments and set(in_comments) <= server
    in_guide = set(re.findall(r"`(--[a-z][\w-]*)", files.text(GUIDE)))
    assert "--kv-cache-memory" in in_guide
    assert in_guide <= server | healthcheck, f"{GUIDE}: the server has no {in_guide - server - healthcheck}"


@pytest.mark.parametrize("config", ["config/examples/container.json"] + [c for _, c in files.deployments().values()])
def test_configs_are_valid_and_listen_to_everyone(config):
    made = settings(config)
    assert made["host"] == "0.0.0.0"
    subprocess.run([BINARY, "--config", config, "--model", DEMO, "--kv-cache-memory", "16MiB", "--threads", "1",
                    "--check-config"], check=True, timeout=60)


def test_config_lies_where_the_server_looks():
    assert files.exec_form("server", "ENTRYPOINT")[1:] == ["--config", CONFIG_IN_PLACE]
    assert files.unit_value("ExecStart").split()[1:3] == ["--config", CONFIG_IN_PLACE]
    for folder, (deployment, config) in files.deployments().items():
        mount = files.only(files.container(deployment)["volumeMounts"], name="config")
        assert mount["mountPath"] == os.path.dirname(CONFIG_IN_PLACE)
        (generated,) = files.document(f"{folder}/kustomization.yaml")["configMapGenerator"]
        assert generated["files"] == [os.path.basename(CONFIG_IN_PLACE)] == [os.path.basename(config)]
        volume = files.only(files.pod(deployment)["volumes"], name="config")
        assert volume["configMap"]["name"] == generated["name"]


def test_models_lie_where_the_configs_say():
    (models,) = [rest for word, rest in files.dockerfile()["server"] if word == "COPY" and rest.endswith(" /models")]
    assert models == "--from=build /image/models /models"
    for config in ("config/examples/container.json", f"{files.BASE}/config.json"):
        assert settings(config)["model"] == "/models/" + os.path.basename(DEMO)
    deployment, config = files.deployments()[files.OVERLAY]
    mount = files.only(files.container(deployment)["volumeMounts"], name="models")
    assert settings(config)["model"].startswith(mount["mountPath"] + "/")


# ---- Stopping ----

def test_whoever_stops_the_server_waits_for_its_drain():
    compose = files.document("compose.yaml")["services"]["server"]
    assert files.seconds(compose["stop_grace_period"]) > stop_seconds("config/examples/container.json")
    assert int(files.unit_value("TimeoutStopSec")) > stop_seconds("config/examples/production.json")
    assert files.unit_value("KillSignal") == files.instruction("server", "STOPSIGNAL") == "SIGTERM"
    for deployment, config in files.deployments().values():
        sleep, before = files.container(deployment)["lifecycle"]["preStop"]["exec"]["command"]
        assert sleep == "/bin/sleep"
        grace = files.pod(deployment)["terminationGracePeriodSeconds"]
        assert grace > int(before) + stop_seconds(config)


# ---- Images ----

def test_one_version_everywhere():
    version = output(BINARY, "--version").split()[1]
    assert ("ARG", f"VERSION={version}") in files.dockerfile()["runtime"]
    images = [service["image"] for service in files.document("compose.yaml")["services"].values()]
    assert images == [f"engram-server:{version}", f"engram-bench:{version}"]
    (image,) = files.document(f"{files.BASE}/kustomization.yaml")["images"]
    assert image["newTag"] == version
    for deployment, _ in files.deployments().values():
        assert files.container(deployment)["image"] == image["name"]


def test_stages_exist():
    stages = files.dockerfile()
    assert list(stages)[-1] == "server"  # what a build without --target makes
    for name, service in files.document("compose.yaml")["services"].items():
        assert service["build"]["target"] == name and name in stages
    for lines in stages.values():
        for stage in re.findall(r"--from=([\w-]+)", " ".join(rest for _, rest in lines)):
            assert stage in stages


def test_context_has_what_the_build_copies():
    kept = {line[1:] for line in files.text(".dockerignore").split("\n") if line.startswith("!")}
    stages = files.dockerfile()
    run = " ".join(rest for word, rest in stages["build"] + stages["build-bench"] if word == "RUN")
    paths = set(re.findall(r"(?<![\w/])(?:config|models)/[\w./*-]+|LICENSE|(?<=//)[\w/]+(?=:)", run))
    assert {"LICENSE", "server", "tools/bench", "config/examples/container.json"} <= paths
    assert {path.split("/")[0] for path in paths} <= kept
    assert not {".git", ".venv", "user.bazelrc"} & kept


def test_nothing_runs_as_root():
    user = files.instruction("server", "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert files.instruction("bench", "USER") == user
    for service in files.document("compose.yaml")["services"].values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
    for deployment, _ in files.deployments().values():
        of_pod, of_container = files.pod(deployment)["securityContext"], files.container(deployment)["securityContext"]
        assert of_pod["runAsNonRoot"] and f"{of_pod['runAsUser']}:{of_pod['runAsGroup']}" == user
        assert of_container["readOnlyRootFilesystem"] and not of_container["allowPrivilegeEscalation"]
        assert of_container["capabilities"] == {"drop": ["ALL"]}
    assert files.unit_value("DynamicUser") == "yes" and files.unit_value("CapabilityBoundingSet") == ""


# ---- Kubernetes ----

def test_kinds_have_their_api_versions():
    assert {one["kind"] for one in kubernetes_objects()} == set(API_VERSIONS)
    for one in kubernetes_objects():
        assert one["apiVersion"] == API_VERSIONS[one["kind"]]
        assert one["kind"] == "Kustomization" or re.fullmatch(r"[a-z0-9-]+", one["metadata"]["name"])


def test_kustomizations_name_files_that_exist():
    applied = set()
    for folder in files.deployments():
        made = files.document(f"{folder}/kustomization.yaml")
        for path in made["resources"] + [patch["path"] for patch in made.get("patches", [])]:
            path = os.path.normpath(os.path.join(folder, path))
            assert os.path.exists(path), path
            assert not folder.startswith(path), f"{folder} lies in its own base {path}, which kubectl calls a cycle"
            applied.add(path)
    unused = {path for path in files.YAML_FILES if path.startswith("deploy/kubernetes/")} - applied
    assert {os.path.basename(path) for path in unused} == {"kustomization.yaml", "prometheus-adapter.yaml"}


def test_selectors_find_the_pods():
    deployment = named("Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert named("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    for service in ("engram-server", "engram-server-pods"):
        assert named("Service", service)["spec"]["selector"] == labels
    target = hpa()["spec"]["scaleTargetRef"]
    assert target == {key: deployment[key] for key in ("apiVersion", "kind")} | {"name": deployment["metadata"]["name"]}
    assert "replicas" not in deployment["spec"]  # they are the autoscaler's
    assert 1 < hpa()["spec"]["minReplicas"] <= hpa()["spec"]["maxReplicas"]


@BOTH
def test_settings_fit_into_the_resources(folder):
    deployment, config = files.deployments()[folder]
    made, resources = settings(config), files.container(deployment)["resources"]
    assert made["threads"] <= files.quantity(resources["limits"]["cpu"])
    assert resources["requests"]["cpu"] == resources["limits"]["cpu"]
    room = resources["limits"].get("hugepages-2Mi", resources["limits"]["memory"])
    assert files.quantity(made["kv-cache-memory"]) < files.quantity(room)


@BOTH
def test_mounts_have_volumes(folder):
    deployment, _ = files.deployments()[folder]
    volumes = {volume["name"] for volume in files.pod(deployment)["volumes"]}
    assert {mount["name"] for mount in files.container(deployment)["volumeMounts"]} == volumes


# ---- systemd ----

def test_unit_is_well_formed(tmp_path):
    sections = {section for section, _, _ in files.unit()}
    assert sections == {"Unit", "Service", "Install"}
    assert files.unit_value("Type") == "exec"  # the server does not speak systemd's notify protocol
    # Usage, model, memory: what config/exit_code.h says no restart will mend.
    assert files.unit_value("RestartPreventExitStatus") == "2 3 4"
    if shutil.which("systemd-analyze"):  # where there is systemd, its own opinion
        verified = tmp_path / "engram-server.service"
        verified.write_text(files.text("deploy/systemd/engram-server.service").replace(
            "/usr/local/bin/engram-server", os.path.abspath(BINARY)))
        result = subprocess.run(["systemd-analyze", "verify", "--man=no", str(verified)], capture_output=True,
                                text=True, timeout=60, check=False)
        assert verified.name not in result.stderr, result.stderr
        assert result.returncode == 0, result.stderr
