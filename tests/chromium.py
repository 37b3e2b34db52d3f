"""A browser for the tests: the machine's own, else Playwright's, else from the system's package manager."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HELP = (
    "the browser tests need Chromium and none could be installed: run 'playwright install --with-deps chromium', or install your system's "
    "package (Debian, Ubuntu: sudo apt-get install chromium; macOS: brew install --cask chromium), then try again"
)


def find_chromium() -> str | None:
    """The path of a Chromium on this machine, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        found = shutil.which(name)
        # Ubuntu's apt package is an empty stand-in that starts a snap, which tests cannot drive.
        if found and not Path(found).resolve().match("*/snap*"):
            return found
    return _playwrights()


def ensure_chromium() -> int:
    """Install a Chromium where there is none. 0 when there is one in the end."""
    if find_chromium() is None:
        _install_with_playwright()
    if find_chromium() is None:
        _install_with_system()
    found = find_chromium()
    print(found or HELP, flush=True)
    return 0 if found else 1


def _playwrights() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def _install_with_playwright() -> None:
    print("no browser here: trying Playwright's download", flush=True)
    try:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False, timeout=600)
    except subprocess.TimeoutExpired:
        print("the download takes too long", flush=True)


def _install_with_system() -> None:
    if shutil.which("apt-get") is None:
        return
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and shutil.which("sudo") is None:
        return
    print("trying the system's package 'chromium'", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
        if subprocess.run([*prefix, *command], env=environment, check=False).returncode != 0:
            return


if __name__ == "__main__":
    sys.exit(ensure_chromium())
