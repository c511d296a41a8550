"""The parts of compose.yaml, started by hand without a container engine: replicas, Prometheus, an alert."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml
from psycopg.conninfo import make_conninfo
from support.bare_database import run
from support.postgres import new_database
from support.psql import run_script
from support.replica import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

DEPLOY = Path(__file__).parents[3] / "deploy"

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))

SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_each_service_is_hardened() -> None:
    """Each container has a read-only root, no capability that it does not need, and cannot gain one."""
    for name, service in SERVICES.items():
        assert (True, ["ALL"]) == (service["read_only"], service["cap_drop"]), name
        assert ["no-new-privileges:true"] == service["security_opt"], name
        assert name == "postgres" or "cap_add" not in service
        assert "privileged" not in service


def test_each_file_and_service_exists() -> None:
    """Each file that compose mounts exists, each secret is a file, and each service that one waits for is there."""
    mounted = [one.split(":")[0] for service in SERVICES.values() for one in service.get("volumes", ())]
    files = [one for one in mounted if one.startswith(".")]
    files += [one["file"] for kind in ("secrets", "configs") for one in COMPOSE[kind].values()]
    assert [] == [file for file in files if not (DEPLOY / file).exists()]
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", ())) <= set(SERVICES), name
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"]), name


def test_a_replica_has_time_to_drain() -> None:
    """A replica is killed only after its drain could have ended."""
    for name in ("retention-1", "retention-2"):
        command = SERVICES[name]["command"]
        drain = command[command.index("--drain-timeout") + 1]
        assert int(SERVICES[name]["stop_grace_period"].rstrip("s")) > int(drain.rstrip("s")) + 10


class Parts:
    """The services as processes of this machine."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self._folder, self._dsn = folder, dsn
        self.ports = {"8900": str(free_port()), "8901": str(free_port()), "8902": str(free_port())}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        text = (DEPLOY / "compose" / "retention.toml").read_text("utf-8")
        (folder / "retention.toml").write_text(self._local(text).replace("*/5 * * * *", "* * * * *"), "utf-8")

    def _local(self, text: str) -> str:
        for port, ours in self.ports.items():
            text = text.replace(f":{port}", f":{ours}")
        return text

    def _environment(self, service: Mapping[str, Any]) -> dict[str, str]:
        """The variables of a service; its secrets' files, with the DSNs of the test's server."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("RETENTION_")}
        for name, path in service["environment"].items():
            secret = path.rpartition("/")[2]
            file = self._folder / secret
            given = (DEPLOY / "compose" / "secrets" / secret).read_text("utf-8")
            role = re.match(r"postgresql://(\w+)", given)
            file.write_text(make_conninfo(self._dsn, user=role[1]) if role else given, "utf-8")
            environ[name] = str(file)
        return environ

    async def start(self, name: str) -> asyncio.subprocess.Process:
        """Start the command of a service."""
        service = SERVICES[name]
        words = [self.ports.get(word, self._local(word).replace("0.0.0.0", "127.0.0.1")) for word in service["command"]]
        with (self._folder / f"{name}.out").open("wb") as out:
            self._processes[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "retention", "--config", str(self._folder / "retention.toml"), *words),
                env=self._environment(service),
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
            )
        return self._processes[name]

    async def prometheus(self) -> str:
        """Start Prometheus with the project's configuration and rules; only addresses and times are others'."""
        program = shutil.which("prometheus")
        assert program, "prometheus is not there: apt-get install prometheus"
        folder, port = self._folder / "prometheus", free_port()
        shutil.copytree(DEPLOY / "prometheus", folder)
        text = (folder / "prometheus.yml").read_text("utf-8")
        text = re.sub(r"retention-\d:(\d+)", lambda found: f"127.0.0.1:{self.ports[found[1]]}", text)
        (folder / "prometheus.yml").write_text(text.replace("15s", "1s"), "utf-8")
        rules = (folder / "alerts.yml").read_text("utf-8")
        (folder / "alerts.yml").write_text(re.sub(r"for: \S+", "for: 2s", rules), "utf-8")
        self._processes["prometheus"] = await asyncio.create_subprocess_exec(
            program,
            *(f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={self._folder / 'tsdb'}"),
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return f"http://127.0.0.1:{port}/api/v1"

    def kill(self, name: str) -> None:
        """Kill a service, as kill -9 does."""
        self._processes[name].send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        """End all of it."""
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def log(self, name: str) -> str:
        """The output of a service."""
        return (self._folder / f"{name}.out").read_text("utf-8")


async def ask(client: aiohttp.ClientSession, address: str, words: Mapping[str, str]) -> Any:
    """Ask Prometheus; None while it starts."""
    with suppress(aiohttp.ClientError):
        async with client.get(address, params=words) as reply:
            return (await reply.json())["data"]
    return None


@pytest.mark.deploy
async def test_an_alert_fires_when_both_replicas_are_killed(postgres: str, tmp_path: Path) -> None:
    """The parts of compose.yaml work together: both replicas are scraped, a run cancels rounds, and RetentionDown fires
    once both are killed, where it was silent before.
    """
    with new_database(postgres, "template0") as name:
        dsn = make_conninfo(postgres, dbname=name)
        parts = Parts(tmp_path, dsn)
        try:
            await _play(parts, dsn)
        finally:
            await parts.stop()
            run(dsn, "DROP OWNED BY retention_job, retention_report")


async def _play(parts: Parts, dsn: str) -> None:
    assert run_script(dsn, "-f", str(DEPLOY / "compose" / "operator.sql")).returncode == 0
    migrated = await (await parts.start("migrate")).wait()
    assert migrated == 0, parts.log("migrate")
    for option in SERVICES["objects"]["command"]:
        file = option.partition("=")[2].replace("/sql/", "../sql/operator/").replace("/compose/", "compose/")
        done = run_script(dsn, "-f", str(DEPLOY / file))
        assert done.returncode == 0, done.stderr
    for service in ("vendor", "retention-1", "retention-2"):
        await parts.start(service)
    address = await parts.prometheus()
    async with aiohttp.ClientSession() as client:

        async def value(query: str) -> float | None:
            found = await ask(client, f"{address}/query", {"query": query})
            return float(found["result"][0]["value"][1]) if found and found["result"] else None

        async def until(query: str, wanted: float) -> None:
            async with asyncio.timeout(120):
                while await value(query) != wanted:
                    await asyncio.sleep(0.2)

        await until('sum(up{job="retention"})', 2)
        await until("min(max by (policy) (retention_run_last_success_timestamp_seconds) > bool 0)", 1)
        firing = 'sum(ALERTS{alertname="RetentionDown",alertstate="firing"})'
        assert await value(firing) is None
        for name in ("retention-1", "retention-2"):
            parts.kill(name)
        await until(firing, 1)
        described = await ask(client, f"{address}/alerts", {})
        (alert,) = (one for one in described["alerts"] if one["labels"]["alertname"] == "RetentionDown")
        assert "No replica of retention is up" == alert["annotations"]["summary"], json.dumps(described)
    cancelled = run(dsn, "SELECT count(*) FROM retention.cancellations WHERE state = 'cancelled'")
    assert cancelled[0][0] > 500, parts.log("retention-1")
