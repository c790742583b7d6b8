"""What holds for a whole workspace, whoever opens it: preferences.json beside its mark."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from studio import migrate
from studio.errors import Offline
from studio.workspace import Workspace

FILE = "preferences.json"


@dataclass(frozen=True)
class Preferences:
    """`offline`: the studio and its jobs ask nothing of the network."""

    offline: bool = False


def read(workspace: Workspace) -> Preferences:
    """The preferences as they stand; the usual ones where nobody chose.

    Raises:
        Broken, NewerFormat: the file can't be read. Nothing is guessed then, as it may say to stay offline.
    """
    try:
        kept = migrate.load(workspace.root / FILE, "preferences")
    except FileNotFoundError:
        return Preferences()
    return Preferences(offline=bool(kept.get("offline", False)))


def write(workspace: Workspace, preferences: Preferences) -> None:
    migrate.save(workspace.root / FILE, "preferences", asdict(preferences))


def check_online(workspace: Workspace, what: str) -> None:
    """Raises Offline when this workspace is told to stay offline; `what` says what is not done then."""
    if read(workspace).offline:
        raise Offline(
            what,
            "The studio is told to stay offline.",
            "Switch “Stay offline” off on the Settings page under Network, or add a model from a folder.",
            settings="network",
        )


def environment(workspace: Workspace) -> dict[str, str]:
    """What the workers' libraries are told in addition."""
    return {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1"} if read(workspace).offline else {}
