"""Servers of pages as processes: started in a folder of their own, waited for, ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["ROOT", "Server", "free_port", "jupyter"]

ROOT = Path(__file__).parents[2]
_STARTED = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def jupyter(
    folder: Path,
    app: str,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> Server:
    """A Jupyter server with one of its front ends, such as ``jupyterlab`` or ``notebook``; ``url`` is its base."""
    base = f"http://127.0.0.1:{(port := free_port())}"
    common = ["--no-browser", "--allow-root", "--expose-app-in-browser", f"--ServerApp.port={port}"]
    common += ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
    return Server(folder, [python, "-m", app, *common, *options], base, environment)


class Server:
    """A process that serves pages; ``url`` is asked until it answers."""

    def __init__(self, folder: Path, command: Sequence[str], url: str, environment: Mapping[str, str] | None = None):
        self.folder, self.url = folder, url
        # Threads beyond the two cores of a small machine would starve the browser.
        own = {**os.environ, "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(folder / ".config")}
        own["PYTHONPATH"] = os.pathsep.join([str(ROOT), own.get("PYTHONPATH", "")])
        self._log = (folder / "server.log").open("w")
        self._process = subprocess.Popen(
            command, cwd=folder, env={**own, **(environment or {})}, stdout=self._log, stderr=subprocess.STDOUT
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _STARTED
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self.url, timeout=5):
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        self.close()
        raise RuntimeError(f"the host did not start:\n{self.log()[-3000:]}")

    def log(self) -> str:
        """What it said so far."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """End it, and what it started."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
