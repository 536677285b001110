"""What is copied to operate xuntu: units, rules, a dashboard and containers name only what there is."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml

import api.cli
from api.doctor.surroundings import list_variables
from api.http.metrics import Metrics

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "examples" / "operation"
UNITS = sorted([*FOLDER.glob("*.service"), *FOLDER.glob("*.timer")])
ROOMS = ("api", "indexer", "ui")
SCALED = ("objects", "redis", "replica", "balancer", "ray-head", "ray-worker", "cluster-indexer")


@pytest.fixture(scope="module")
def series() -> dict[str, set[str]]:
    """The labels of every series that Prometheus gets, by name."""
    found: dict[str, set[str]] = {}
    for metric in vars(Metrics()).values():
        for sort in getattr(metric, "describe", list)():
            labels = set(metric._labelnames)
            endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(sort.type, ("",))
            found |= {sort.name + end: labels | ({"le"} if end == "_bucket" else set()) for end in endings}
    return found


def check_expression(expression: str, series: dict[str, set[str]]) -> None:
    """Hold an expression of PromQL to the series and labels that there are, and to brackets that are closed."""
    names = set(re.findall(r"\bxuntu_\w+", expression))
    assert names or "up{" in expression, expression
    assert names <= set(series), expression
    known = set().union(*series.values()) | {"job", "instance"}
    for selector in re.findall(r"\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= known, expression
    for group in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
        assert {one.strip() for one in group.split(",")} <= known, expression
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing), expression


def test_alert_rules_ask_for_metrics_that_there_are(series):
    (group,) = yaml.safe_load((FOLDER / "prometheus-alerts.yml").read_text(encoding="utf-8"))["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names) >= 6
    for rule in group["rules"]:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description"}
        check_expression(rule["expr"], series)


def test_the_dashboard_shows_every_metric_and_no_other(series):
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    for expression in expressions:
        check_expression(expression, series)
    shown = " ".join(expressions)
    for metric in Metrics().registry.collect():
        assert metric.name in shown, f"{metric.name} is on no panel"
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_that_there_is(path):
    text = path.read_text(encoding="utf-8")
    for line in re.findall(r"^ExecStart=/opt/xuntu/bin/xuntu (.*)$", text, re.MULTILINE):
        command = typer.main.get_command(api.cli.app)
        for word in line.split():
            if children := getattr(command, "commands", None):
                command = children[word]
    assert set(re.findall(r"XUNTU_[A-Z_]+", text)) <= list_variables()
    if path.suffix == ".service":
        for right in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n", "MemoryMax="):
            assert right in text


def test_systemd_takes_the_units(tmp_path, processes):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze")
    (tmp_path / "xuntu").write_text("#!/bin/sh\n")
    (tmp_path / "xuntu").chmod(0o755)
    for path in UNITS:
        text = path.read_text(encoding="utf-8").replace("/opt/xuntu/bin/xuntu", str(tmp_path / "xuntu"))
        (tmp_path / path.name).write_text(text.replace("User=xuntu\nGroup=xuntu\n", ""))
    units = [str(tmp_path / path.name) for path in UNITS]
    done = subprocess.run([program, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "xuntu" in line]
    assert not said, done.stderr


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8"))


def check_rights(service: dict) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "1000:1000"
    assert service["mem_limit"]
    assert service["healthcheck"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", ROOMS)
def test_a_container_has_few_rights(compose, name):
    service = compose["services"][name]
    check_rights(service)
    assert all(volume.endswith(":ro") or volume == "./data:/data" for volume in service.get("volumes", []))
    variables = set(service.get("environment", {}))
    assert variables <= list_variables()
    assert "XUNTU_API__TOKEN" not in variables, "a secret comes from a file"
    if name != "indexer":
        assert service["environment"]["XUNTU_API__TOKEN_FILE"] == "/run/secrets/token"
        assert service["secrets"] == ["token"]


@pytest.mark.parametrize("name", SCALED)
def test_a_container_of_many_has_few_rights_as_well(compose, name):
    service = compose["services"][name]
    assert service["profiles"] == ["scale"]
    check_rights(service)
    assert {one for one in service.get("environment", {}) if one.startswith("XUNTU_")} <= list_variables()
    assert set(service.get("depends_on", {})) <= set(SCALED)
    assert ("build" in service) != ("image" in service)
    assert not re.fullmatch(r"[^:]+(:latest)?", service.get("image", "a:1"))
    for volume in service.get("volumes", []):
        assert volume.endswith(":ro") or volume in ("/data", "./data:/data", "./objects:/objects")
        if volume.startswith("./examples/"):
            assert (CHECKOUT / volume.partition(":")[0]).is_file()


def test_containers_of_many_are_all_of_them_and_agree(compose):
    services = compose["services"]
    assert {name for name, one in services.items() if one.get("profiles") == ["scale"]} == set(SCALED)
    storage = {services[name]["environment"]["XUNTU_STORAGE"] for name in ("replica", "ray-worker", "cluster-indexer")}
    assert len(storage) == 1
    bucket = storage.pop().removeprefix("s3://").partition("/")[0]
    assert f"/objects/{bucket} " in services["objects"]["entrypoint"][-1]
    assert services["replica"]["environment"]["XUNTU_API__TOKEN_FILE"] == "/run/secrets/token"
    assert len({str(services[name]["build"]) for name in ("ray-head", "ray-worker", "cluster-indexer")}) == 1
    port = services["cluster-indexer"]["environment"]["XUNTU_ENGINE"].removeprefix("ray://ray-head:")
    assert f"--ray-client-server-port={port}" in services["ray-head"]["command"]


@pytest.mark.parametrize("name", ROOMS)
def test_an_image_is_run_by_nobody_special(name):
    lines = (CHECKOUT / name / "Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [number for number, line in enumerate(lines) if line == "USER 1000:1000"]
    assert len(users) == 1
    assert users[0] > max(number for number, line in enumerate(lines) if line.startswith(("RUN", "COPY")))
    for line in lines:
        for extra in re.findall(r'"\.\[([^\]]*)\]"', line):
            project = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
            names = [one for one in extra.split(",") if not one.startswith("$")]
            assert all(re.search(rf"^{one} = \[", project, re.MULTILINE) for one in names)


def test_no_secret_gets_into_an_image():
    ignored = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {".env", "token", "data"} <= set(ignored)


@pytest.mark.parametrize("name", ["nginx.conf", "nginx-replicas.conf"])
def test_nginx_speaks_for_the_client(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert text.count("{") - text.count("{ }") == text.count("}") - text.count("{ }")
    without = re.sub(r"#.*", "", text)
    for line in filter(None, map(str.strip, without.splitlines())):
        assert line[-1] in "{};", line
    for said in ("X-Forwarded-For $remote_addr", "proxy_buffering off", "client_max_body_size"):
        assert said in text
    assert ("limit_req " in text) == (name == "nginx.conf")
