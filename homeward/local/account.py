"""As which account do the private servers run, and can it reach their folders?

PostgreSQL refuses to run as root. Where root starts an installation, its servers run as an unprivileged account and
their folders belong to it; an ordinary user's servers run as that user.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from homeward.local.errors import SetupError

PREFERRED = ("homeward", "nobody")


@dataclass(frozen=True)
class Account:
    """The account that owns the private servers' folders and processes."""

    name: str
    user_id: int
    group_id: int
    changes: bool

    def spawn_options(self) -> dict[str, object]:
        """Return what `subprocess.Popen` needs so that the child runs as this account."""
        if not self.changes:
            return {}
        return {"user": self.user_id, "group": self.group_id, "extra_groups": []}

    def make_folder(self, folder: Path, mode: int = 0o700) -> None:
        """Make a folder of this account's own, and refuse one that the account could not reach."""
        try:
            for missing in [parent for parent in reversed(folder.parents) if not parent.exists()]:
                missing.mkdir(exist_ok=True)
                if self.changes:  # whatever root's umask is, the account must get through
                    missing.chmod(0o755)
            folder.mkdir(exist_ok=True)
            if self.changes:
                os.chown(folder, self.user_id, self.group_id)
                self._check_reachable(folder)
            folder.chmod(mode)
        except OSError as failed:
            raise SetupError(
                f"{folder} cannot be used ({failed.strerror}); set HOMEWARD_HOME to a folder of your own."
            ) from failed

    def write_secret(self, path: Path, text: str) -> None:
        """Write a file that this account alone may read, whole or not at all."""
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        if self.changes:
            os.chown(draft, self.user_id, self.group_id)
        draft.replace(path)

    def _check_reachable(self, folder: Path) -> None:
        for parent in folder.resolve().parents:
            status = parent.stat()
            own = status.st_uid == self.user_id and status.st_mode & stat.S_IXUSR
            if not (own or status.st_mode & stat.S_IXOTH):
                raise SetupError(
                    f"The private servers run as '{self.name}', which may not enter {parent}; set HOMEWARD_HOME to a "
                    "folder that every account may pass through, such as /var/lib/homeward."
                )


def service_account() -> Account:
    """Return the present user, or for root an unprivileged account of the machine."""
    user_id = os.geteuid()
    if user_id != 0:
        return Account(_name_of(user_id), user_id, os.getegid(), changes=False)
    for name in PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, changes=True)
    raise SetupError("PostgreSQL may not run as root and this machine has no account 'homeward' or 'nobody'; add one.")


def _name_of(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:  # containers often run as a number without a name
        return str(user_id)
