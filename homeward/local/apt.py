"""How are Debian packages fetched and unpacked without root and without installing anything?

A private apt root (own lists, cache and status) reads the address of the machine's own mirror and asks it for the
release that carries the packages. apt checks the release's signature and every package's sum. Only the standard library
is used: `.ci/make-venv` runs this module before there is an environment.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from homeward.local.errors import SetupError

Progress = Callable[[str], None]

KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")


def machine_release() -> str:
    """Return the code name of the distribution's release, such as bookworm."""
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip().strip('"')
    return ""


def machine_mirror() -> str:
    """Return the address of the archive that the machine's own apt configuration names."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise SetupError(
            "This machine has no apt to fetch TimescaleDB and Mosquitto with; install both yourself, or set "
            "HOMEWARD_DATABASE_URL and HOMEWARD_MQTT_URL to servers that have them."
        )
    columns = "$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    listed = _run(["apt-get", "indextargets", "--no-release-info", "--format", columns])
    rows = [line.split("|") for line in listed.splitlines() if line.count("|") == 3]
    archives = [(release, uri) for kind, uri, release, component in rows if kind == "Packages" and component == "main"]
    own = {machine_release(), "stable", "oldstable", "testing"}
    # Updates and security live at the same or another address, without the release we need.
    preferred = [uri for release, uri in archives if release in own] or [
        uri for release, uri in archives if "-" not in release
    ]
    if not preferred:
        raise SetupError("apt has no package source with a 'main' component; add one to /etc/apt/sources.list.d.")
    return preferred[0]


class PrivateApt:
    """An apt of our own in one folder: asks the machine's mirror for one release, installs nothing."""

    def __init__(self, folder: Path, release: str) -> None:
        self.folder = folder
        self.release = release
        self._mirror = machine_mirror()
        for name in ("state/lists/partial", "cache/archives/partial", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "state/status").touch()
        self._use_keyring(Path("/usr/share/keyrings"))

    def update(self) -> None:
        """Fetch the release's package lists; on a machine older than the release's keys, fetch those first."""
        try:
            self._apt("update", "--error-on=any")
        except SetupError as failed:
            if "NO_PUBKEY" not in str(failed) or self.release == machine_release():
                raise
            older = PrivateApt(self.folder / "keyring", machine_release())
            older.update()
            unpacked = self.folder / "keyring/unpacked"
            older.unpack(older.download(["debian-archive-keyring"]), unpacked)
            self._use_keyring(unpacked / "usr/share/keyrings")
            self._apt("update", "--error-on=any")

    def closure(self, packages: Sequence[str]) -> list[str]:
        """Return the names of the packages and of everything they depend on, on a machine that has nothing."""
        plan = self._apt("install", "--simulate", "--no-install-recommends", *packages)
        return [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]

    def download(self, packages: Iterable[str]) -> list[Path]:
        """Fetch packages, checked by apt against the signed release, into the private cache."""
        archives = self.folder / "cache/archives"
        self._apt("download", *packages, cwd=archives)
        return sorted(archives.glob("*.deb"))

    def unpack(self, archives: Iterable[Path], folder: Path) -> dict[str, str]:
        """Unpack packages below a folder and return the sha256 sum of each."""
        folder.mkdir(parents=True, exist_ok=True)
        sums = {}
        for archive in archives:
            _run(["dpkg", "-x", str(archive), str(folder)], scratch=self.folder / "tmp")
            sums[archive.name] = hashlib.sha256(archive.read_bytes()).hexdigest()
        return sums

    def _use_keyring(self, keyrings: Path) -> None:
        """Write the one source, signed by the distribution's archive key and nobody else's."""
        keyring = next((keyrings / name for name in KEYRINGS if (keyrings / name).exists()), None)
        if keyring is None:
            raise SetupError("Debian's archive keys are missing; install the package debian-archive-keyring.")
        line = f"deb [signed-by={keyring}] {self._mirror} {self.release} main\n"
        (self.folder / "sources.list").write_text(line)

    def _apt(self, command: str, *arguments: str, cwd: Path | None = None) -> str:
        places = {
            "Dir::State": self.folder / "state",
            "Dir::State::lists": self.folder / "state/lists",
            "Dir::State::status": self.folder / "state/status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            # apt's own account cannot reach a private folder; the sums are checked all the same.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "1",
        }
        options = [f"--option={name}={value}" for name, value in places.items()]
        return _run(["apt-get", "--quiet=2", *options, command, *arguments], cwd=cwd, scratch=self.folder / "tmp")


def _run(command: list[str], cwd: Path | None = None, scratch: Path | None = None) -> str:
    # apt checks signatures in a temporary folder; the machine's own may be closed to this account, or be full
    environment = os.environ if scratch is None else {**os.environ, "TMPDIR": str(scratch)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    if done.returncode:
        # Mirror addresses may carry a login: only apt's own first complaint is repeated.
        complaint = next((line for line in done.stderr.splitlines() if line.startswith(("E:", "dpkg"))), done.stderr)
        complaint = complaint.strip() or f"exit code {done.returncode}"
        if "No space left" in done.stderr:
            complaint = "no space left on the disk; free about 400 MB"
        raise SetupError(f"{command[0]} failed: {complaint}")
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """Unpack packages of the machine's own release below a folder: `apt.py package … folder`."""
    *packages, folder = arguments
    with tempfile.TemporaryDirectory(prefix="homeward-apt-") as scratch:
        apt = PrivateApt(Path(scratch), machine_release())
        try:
            apt.update()
            apt.unpack(apt.download(packages), Path(folder))
        except SetupError as failed:
            print(failed, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
