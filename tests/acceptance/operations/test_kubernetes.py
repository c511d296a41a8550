"""The manifests are valid, hold to the restricted Pod Security standard, and name only what exists."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
import yaml

from retention.cli.app import app
from retention.exit_codes import ExitCode
from retention.settings.load import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

KUBERNETES = Path(__file__).parents[3] / "deploy" / "kubernetes"

MANIFESTS = sorted(path for path in KUBERNETES.glob("*/*.yaml") if path.name != "kustomization.yaml")


def kustomizations() -> dict[str, dict[str, Any]]:
    """The kustomizations, by folder."""
    return {
        path.parent.name: yaml.safe_load(path.read_text("utf-8")) for path in KUBERNETES.glob("*/kustomization.yaml")
    }


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each manifest, by its path."""
    for path in MANIFESTS:
        yield str(path.relative_to(KUBERNETES)), yaml.safe_load(path.read_text("utf-8"))


def pods() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The template of each pod: path, labels and specification."""
    for name, document in documents():
        spec = document.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template:
            yield name, template["metadata"]["labels"], template["spec"]


def unrestricted(pod: dict[str, Any]) -> list[str]:
    """What the restricted standard forbids in a pod (kubernetes.io: Pod Security Standards)."""
    context = pod.get("securityContext", {})
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    found += [] if context.get("runAsNonRoot") and context.get("runAsUser") else ["runs as root"]
    found += [] if context.get("seccompProfile", {}).get("type") == "RuntimeDefault" else ["no seccomp profile"]
    allowed = {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "name"}
    found += [f"volume {volume['name']}" for volume in pod["volumes"] if not allowed.issuperset(volume)]
    for container in pod["containers"]:
        own = container.get("securityContext", {})
        found += [] if own.get("allowPrivilegeEscalation") is False else ["may escalate"]
        found += [] if own.get("capabilities") == {"drop": ["ALL"]} else ["capabilities"]
        found += [] if own.get("readOnlyRootFilesystem") else ["writable root"]
        found += [] if not own.get("privileged") else ["privileged"]
    return found


def test_each_manifest_is_in_a_kustomization() -> None:
    """Each manifest is a resource of its folder's kustomization, and each resource and file exists."""
    for folder, document in kustomizations().items():
        own = {path.name for path in MANIFESTS if path.parent.name == folder}
        named = set(document["resources"])
        assert own == named - {"../base"}, folder
        assert (folder == "base") == ("../base" not in named)
        for made in document.get("configMapGenerator", ()):
            assert all((KUBERNETES / folder / file).is_file() for file in made["files"])


def test_each_pod_is_restricted() -> None:
    """Each pod holds to the restricted standard, without the token of its account; a pod that does not is found."""
    found = [*pods()]
    assert ["backlog/job.yaml", "base/migrate.yaml", "cronjob/cronjob.yaml", "daemon/deployment.yaml"] == sorted(
        name for name, *_ in found
    )
    for name, _, pod in found:
        assert [] == unrestricted(pod), name
        assert ("retention", False) == (pod["serviceAccountName"], pod["automountServiceAccountToken"])
    weak = found[0][2] | {"hostNetwork": True, "securityContext": {}}
    assert ["hostNetwork", "runs as root", "no seccomp profile"] == unrestricted(weak)


def test_names_lead_somewhere() -> None:
    """Each mount has its volume, each selector its pods, each probe its port, and each command exists."""
    named = dict(documents())
    labels = [labels for _, labels, _ in pods()]
    command: Any = typer.main.get_command(app)
    for name, _, pod in pods():
        (container,) = pod["containers"]
        assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}, name
        words = [word for word in container["args"] if not word.startswith("-")]
        found = command.commands[words[0]]
        assert found is not None
        ports = {port["name"] for port in container.get("ports", ())}
        probes = [container[key]["httpGet"] for key in container if key.endswith("Probe")]
        assert {probe["port"] for probe in probes} <= ports
    selectors = [
        named["daemon/service.yaml"]["spec"]["selector"],
        named["daemon/poddisruptionbudget.yaml"]["spec"]["selector"]["matchLabels"],
        named["daemon/deployment.yaml"]["spec"]["selector"]["matchLabels"],
        named["base/networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(any(selector.items() <= one.items() for one in labels) for selector in selectors)
    account = named["base/serviceaccount.yaml"]
    assert ("retention", False) == (account["metadata"]["name"], account["automountServiceAccountToken"])


def test_a_drain_ends_before_a_pod_is_killed() -> None:
    """A pod has more time to end than its daemon takes to drain."""
    pod = dict(documents())["daemon/deployment.yaml"]["spec"]["template"]["spec"]
    arguments = pod["containers"][0]["args"]
    drain_s = int(arguments[arguments.index("--drain-timeout") + 1].removesuffix("s"))
    assert pod["terminationGracePeriodSeconds"] >= drain_s + 10


def test_only_unreachable_is_tried_again() -> None:
    """Of the exit codes that a run gives, a job tries again only after 5: database or vendor unreachable."""
    for name in ("cronjob/cronjob.yaml", "backlog/job.yaml"):
        spec = dict(documents())[name]["spec"]
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        (rule,) = (rule for rule in spec["podFailurePolicy"]["rules"] if rule["action"] == "FailJob")
        signals = {ExitCode.DONE, ExitCode.SIGINT, ExitCode.SIGTERM, ExitCode.UNREACHABLE}
        assert {*ExitCode} - signals == set(rule["onExitCodes"]["values"]), name


@pytest.mark.parametrize("name", [name for name, *_ in pods()])
def test_the_configuration_of_the_pods_loads(name: str, tmp_path: Path) -> None:
    """The file of the ConfigMap loads with a pod's variables and the files of its Secret; it is a dry run."""
    pod = next(pod for one, _, pod in pods() if one == name)
    secret = next(volume["secret"] for volume in pod["volumes"] if "secret" in volume)
    values = {"dsn": "postgresql://job@db/x", "owner-dsn": "postgresql://owner@db/x", "acme-token": "token-1"}
    values |= {"acme-api-url": "https://vendor.example", "acme-secure-login": "login-1"}
    for item in secret["items"]:
        (tmp_path / item["path"]).write_text(values[item["key"]], "utf-8")
    environ = {}
    for variable in pod["containers"][0]["env"]:
        key = variable.get("valueFrom", {}).get("secretKeyRef", {}).get("key")
        value = values[key] if key else variable["value"]
        environ[variable["name"]] = value.replace("/run/secrets/retention", str(tmp_path))
    file = KUBERNETES / "base" / "retention.toml"
    del environ["RETENTION_CONFIG"]
    settings = load_settings(file, environ, tmp_path)
    assert ["dry_run"] == [policy.mode for policy in settings.policies.values()]
    assert "token-1" == settings.partners["acme"].token.reveal()
    assert "token" not in tomllib.loads(file.read_text("utf-8"))["partners"]["acme"]


@pytest.mark.deploy
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_valid(path: Path, tmp_path: Path) -> None:
    """A manifest has only fields that Kubernetes knows; the same one with a misspelt field is refused."""

    def validated(file: Path) -> int:
        tool = Path(sys.executable).with_name("kubernetes-validate")
        assert tool.exists(), "kubernetes-validate is not there: pip install -e '.[deploy]'"
        return subprocess.run([tool, "--strict", file], capture_output=True, check=False).returncode

    assert 0 == validated(path)
    broken = tmp_path / path.name
    broken.write_text(path.read_text("utf-8") + "specification: {}\n", "utf-8")
    assert 0 != validated(broken)


@pytest.mark.deploy
def test_the_yaml_is_tidy() -> None:
    """Yamllint accepts each YAML file of deploy/."""
    tool = Path(sys.executable).with_name("yamllint")
    assert tool.exists(), "yamllint is not there: pip install -e '.[deploy]'"
    done = subprocess.run(
        [tool, "--strict", "deploy"], capture_output=True, text=True, check=False, cwd=KUBERNETES.parents[1]
    )
    assert (0, "") == (done.returncode, done.stdout)
