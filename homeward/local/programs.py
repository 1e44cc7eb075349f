"""Where are the PostgreSQL with TimescaleDB and the Mosquitto that a private installation runs?

The machine's own are used where they will do. Otherwise Debian's packages are unpacked into a cache that all of a
user's installations share, and the programs are pointed at the loader and libraries unpacked beside them, because
those are newer than an older machine's.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeward.local.apt import PrivateApt, Progress
from homeward.local.errors import SetupError

RELEASE = "trixie"
WANTED = ("postgresql-17-timescaledb", "postgresql-17", "postgresql-client-17", "mosquitto")
# Libraries of the compiler behind PostgreSQL's JIT (100 MB, off here) and of installation scripts that never run.
NOT_NEEDED = re.compile(r"lib(llvm|z3|perl|pam-modules|semanage|sepol|debconf|c-l10n|proc2|ncurses)|.*-perl$|libc-bin$")
SPACE_NEEDED = 600 * 2**20
OLDEST_POSTGRES = 15
OLDEST_MOSQUITTO = 2


@dataclass(frozen=True)
class Programs:
    """The programs of a private installation, their versions and where they come from."""

    postgres_bin: Path
    mosquitto: Path
    dynamic_security: Path
    postgres_version: str
    mosquitto_version: str
    postgres_origin: str
    mosquitto_origin: str


def programs_folder() -> Path:
    """Return the cache of unpacked programs: the system's for root, whose home others cannot enter, else the user's."""
    if os.geteuid() == 0:
        return Path("/var/cache/homeward/programs")
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "homeward/programs"


def ensure_programs(progress: Progress = lambda _: None) -> Programs:
    """Return the programs, fetching those that the machine lacks; at once when they are there already."""
    found = find_programs()
    if found is not None:
        return found
    folder = _unpacked_folder()
    with _one_at_a_time(folder):
        if not (folder / "manifest.json").exists():
            _fetch(folder, progress)
    fetched = find_programs()
    if fetched is None:
        raise SetupError(f"{folder} is incomplete; remove it and run `make setup` again.")
    return fetched


def find_programs() -> Programs | None:
    """Return the programs where nothing needs to be fetched: the machine's own, and unpacked ones for what it lacks."""
    postgres = _machine_postgres()
    mosquitto = _machine_mosquitto()
    manifest = _unpacked_folder() / "manifest.json"
    if postgres is not None and mosquitto is not None:
        return Programs(**postgres, **mosquitto)
    if not manifest.exists():
        return None
    return Programs(**{**_unpacked(manifest), **(postgres or {}), **(mosquitto or {})})


def _unpacked_folder() -> Path:
    return programs_folder() / f"debian-{RELEASE}-{os.uname().machine}"


def _unpacked(manifest: Path) -> dict[str, Any]:
    found = json.loads(manifest.read_text())["programs"]
    for name in ("postgres_bin", "mosquitto", "dynamic_security"):
        found[name] = manifest.parent / found[name]
    return dict(found)


def _machine_postgres() -> dict[str, Any] | None:
    """Find the machine's newest PostgreSQL that has the extension's files."""
    found = []
    for control in Path("/usr/share/postgresql").glob("*/extension/timescaledb.control"):
        folder = Path("/usr/lib/postgresql") / control.parts[-3] / "bin"
        if control.parts[-3].isdigit() and int(control.parts[-3]) >= OLDEST_POSTGRES and (folder / "initdb").exists():
            found.append((int(control.parts[-3]), folder))
    if not found:
        return None
    folder = max(found)[1]
    version = _version(folder / "postgres", "--version")
    return {"postgres_bin": folder, "postgres_version": version, "postgres_origin": "machine"}


def _machine_mosquitto() -> dict[str, Any] | None:
    """Find the machine's Mosquitto with the plug-in that manages its accounts."""
    path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    plugin = next(Path("/usr/lib").glob("**/mosquitto_dynamic_security.so"), None) if path else None
    if path is None or plugin is None:
        return None
    version = _version(Path(path), "-h")
    if int(version.split(".")[0]) < OLDEST_MOSQUITTO:
        return None
    return {
        "mosquitto": Path(path),
        "dynamic_security": plugin,
        "mosquitto_version": version,
        "mosquitto_origin": "machine",
    }


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = (folder.parent / f"{folder.name}.lock").open("w")
    except OSError as failed:
        raise SetupError(f"{folder.parent} cannot be written ({failed.strerror}); make it writable.") from failed
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path, progress: Progress) -> None:
    """Fetch and unpack into the folder; its manifest is written last, so a folder without one is begun afresh."""
    free = shutil.disk_usage(folder.parent).free
    if free < SPACE_NEEDED:
        raise SetupError(
            f"{folder.parent} has {free // 2**20} MB free and the programs need {SPACE_NEEDED // 2**20} MB; make room."
        )
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="homeward-apt-") as scratch:
        progress("Asking the machine's apt mirror for TimescaleDB and Mosquitto")
        apt = PrivateApt(Path(scratch), RELEASE)
        apt.update()
        wanted = [name for name in apt.closure(WANTED) if name in WANTED or name.startswith(("lib", "zlib"))]
        packages = [name for name in wanted if not NOT_NEEDED.match(name)]
        progress(f"Fetching {len(packages)} packages")
        archives = apt.download(packages)
        size = sum(archive.stat().st_size for archive in archives)
        progress(f"Unpacking {size / 2**20:.0f} MB")
        sums = apt.unpack(archives, folder)
    _make_passable(folder)
    programs = _point_at_own_libraries(folder)
    manifest = {"release": RELEASE, "programs": programs, "sha256": sums}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    progress(f"Ready: PostgreSQL {programs['postgres_version']} and Mosquitto {programs['mosquitto_version']}")


def _make_passable(folder: Path) -> None:
    """Let the servers' account in, whatever the umask: these are public programs."""
    for part in (folder, folder.parent, folder.parent.parent):
        if part.stat().st_uid == os.geteuid():
            part.chmod(0o755)


def _point_at_own_libraries(folder: Path) -> dict[str, str]:
    """Set loader and library path of the programs, check that they start, and say what they are."""
    postgres_bin = folder / "usr/lib/postgresql/17/bin"
    mosquitto = folder / "usr/sbin/mosquitto"
    libraries = next(path.parent for path in (folder / "usr/lib").glob("*/libc.so.6"))
    for program in [*postgres_bin.iterdir(), mosquitto]:
        if program.is_symlink() or program.read_bytes()[:4] != b"\x7fELF":
            continue
        loader = next((folder / "usr").glob(f"lib*/{Path(_patchelf('--print-interpreter', program)).name}"), None)
        loader = loader or libraries / Path(_patchelf("--print-interpreter", program)).name
        # RPATH, not RUNPATH: it holds for the libraries' own libraries and for extensions too.
        _patchelf("--force-rpath", "--set-rpath", str(libraries), "--set-interpreter", str(loader), program)
    plugin = next((folder / "usr/lib").glob("**/mosquitto_dynamic_security.so"))
    return {
        "postgres_bin": str(postgres_bin.relative_to(folder)),
        "mosquitto": str(mosquitto.relative_to(folder)),
        "dynamic_security": str(plugin.relative_to(folder)),
        "postgres_version": _version(postgres_bin / "postgres", "--version"),
        "mosquitto_version": _version(mosquitto, "-h"),
        "postgres_origin": str(folder),
        "mosquitto_origin": str(folder),
    }


def _patchelf(*arguments: str | Path) -> str:
    program = Path(sysconfig.get_path("scripts")) / "patchelf"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"patchelf failed on {arguments[-1]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _version(program: Path, option: str) -> str:
    """Return the version a program states; Mosquitto states it with its help, and with an exit code of 3."""
    try:
        done = subprocess.run(
            [program, option], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
        )
    except OSError as failed:
        raise SetupError(f"{program} does not start: {failed.strerror}.") from failed
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout)
    if found is None:
        raise SetupError(f"{program} does not start: {(done.stderr or done.stdout).strip()[:200]}")
    return found[0]
