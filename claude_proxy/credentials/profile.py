"""Anthropic profiles (`ant auth login`): a login to the Console that Anthropic's SDKs and tools share."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from claude_proxy.credentials.base import Credential, Finding, Secret, Source, flaw
from claude_proxy.credentials.cli_places import stamp_of
from claude_proxy.credentials.programs import find_program, without_secrets
from claude_proxy.credentials.renewal import Renewal
from claude_proxy.credentials.stored_login import epoch_seconds

Way = Literal["user_oauth", "oidc_federation"]

COMMAND = ("ant", "auth", "print-credentials", "--access-token")
PROGRAM_VARIABLES = ("ANTHROPIC_CONFIG_DIR", "ANTHROPIC_PROFILE")
_FEDERATION_VARIABLES = (
    "ANTHROPIC_IDENTITY_TOKEN_FILE",
    "ANTHROPIC_FEDERATION_RULE_ID",
    "ANTHROPIC_ORGANIZATION_ID",
    "ANTHROPIC_SERVICE_ACCOUNT_ID",
    "ANTHROPIC_WORKSPACE_ID",
    "ANTHROPIC_SCOPE",
)
_MAX_FILE = 1024 * 1024
_PATIENCE = 15.0
_PRINTED_TTL = 240.0  # a printed token does not say how long it lasts; short-lived ones last five minutes or more


@dataclass(frozen=True)
class ProfilePlaces:
    """The files of the active profile; `problem` says why there can be none."""

    name: str
    config: Path
    credentials: Path
    pointer: Path
    problem: str | None = None


def profile_places(environ: Mapping[str, str], home: Path) -> ProfilePlaces:
    """Where the active profile is: ANTHROPIC_PROFILE, else what `active_config` names, else `default`."""
    custom = environ.get("ANTHROPIC_CONFIG_DIR")
    base = Path(custom) if custom else home / ".config" / "anthropic"
    pointer = base / "active_config"
    name = environ.get("ANTHROPIC_PROFILE") or _pointed(pointer) or "default"
    problem = None
    if name.startswith(".") or any(each in name for each in "/\\\0") or name != name.strip():
        problem = "the profile's name is not a file name"  # it must not lead out of the directory
    return ProfilePlaces(
        name, base / "configs" / f"{name}.json", base / "credentials" / f"{name}.json", pointer, problem
    )


class Profile(Source):
    """The active profile, if it logs in the way `way` says: by a person's login, or as a workload."""

    deadline = _PATIENCE + 5

    def __init__(
        self,
        way: Way,
        environ: Mapping[str, str],
        home: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        kind, self.way_out = _WAYS[way]
        self.name = f"Anthropic profile ({kind})"
        self.description = "a profile of Anthropic's own tools (`ant auth login`)"
        self._way = way
        self._environ = environ
        self._home = home
        self._clock = clock
        self._printed_until: float | None = None
        self._places = profile_places(environ, home)
        self._pointer_stamp: object = None

    def stamp(self) -> object:
        pointer = stamp_of(self._places.pointer)
        if pointer != self._pointer_stamp:  # only then may another profile be the active one
            self._places, self._pointer_stamp = profile_places(self._environ, self._home), pointer
        return (pointer, *stamp_of(self._places.config, self._places.credentials))

    def aged(self) -> bool:
        return self._printed_until is not None and self._clock() >= self._printed_until

    def look(self) -> Finding:
        self._printed_until = None
        places = profile_places(self._environ, self._home)
        if places.problem:
            return self.unusable(places.problem, "correct ANTHROPIC_PROFILE or `active_config`")
        try:
            config = _document(places.config)
            if config is None:
                return self.not_here(f"no profile in {places.config}")
            login = config.get("authentication")
            way = login.get("type") if isinstance(login, dict) else None
            if way != self._way:
                return self.not_here(f"the profile {places.name} is of another type")
            kept = _document(places.credentials)
        except OSError as exc:
            return self.cannot_look(f"{places.config.parent.parent}: {exc.strerror}")
        except (ValueError, RecursionError):
            return self.unusable(f"the profile {places.name} is not valid JSON", self.way_out)
        if kept is None and self._way == "oidc_federation":
            return self._printed(config)
        return self._read(places, config, kept or {})

    def can_renew(self, credential: Credential) -> bool:
        return credential.expires_at is not None

    def renew(self, credential: Credential) -> str | None:
        """Let `ant` print a token, which it renews first if need be, and stores."""
        store = profile_places(self._environ, self._home).credentials
        renewal = Renewal(
            COMMAND[0],
            [COMMAND[1:]],
            store,
            self._environ,
            self._home,
            keep=(*PROGRAM_VARIABLES, *_FEDERATION_VARIABLES),
        )
        return renewal.run(lambda: self.look().credential != credential)

    def _read(self, places: ProfilePlaces, config: Mapping[str, object], kept: Mapping[str, object]) -> Finding:
        token = kept.get("access_token")
        if not isinstance(token, str) or not token.strip():
            return self.unusable(f"the profile {places.name} holds no token", self.way_out)
        if problem := flaw(token):
            return self.unusable(f"the profile's token cannot be used: {problem}", self.way_out)
        scope = kept.get("scope")
        expiry = epoch_seconds(kept.get("expires_at"))
        return self._found(token, config, str(places.credentials), expiry, str(scope) if scope else "")

    def _printed(self, config: Mapping[str, object]) -> Finding:
        """A federated profile without a stored token: its program exchanges one and prints it."""
        program = find_program(COMMAND[0], self._environ, self._home)
        if program is None:
            return self.unusable(f"the program `{COMMAND[0]}`, which gets its tokens, was not found", self.way_out)
        try:
            done = subprocess.run(  # noqa: S603 - the user's own program, its arguments a list
                [program, *COMMAND[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=without_secrets(self._environ, (*PROGRAM_VARIABLES, *_FEDERATION_VARIABLES)),
                cwd=self._home,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return self.unusable(f"`{' '.join(COMMAND)}` did not finish within {_PATIENCE:g} s", self.way_out)
        except OSError as exc:
            return self.unusable(f"{program} could not be run: {exc.strerror}", self.way_out)
        token = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode != 0 or flaw(token):
            return self.unusable(f"`{' '.join(COMMAND)}` printed no token (exit code {done.returncode})", self.way_out)
        self._printed_until = self._clock() + _PRINTED_TTL
        return self._found(token, config, str(program), None, "")

    def _found(
        self, token: str, config: Mapping[str, object], where: str, expires_at: float | None, scope: str
    ) -> Finding:
        # A workload's token belongs to its workspace already; a person's is told which one by a header.
        workspace = config.get("workspace_id") if self._way == "user_oauth" else None
        credential = Credential(
            "oauth",
            Secret(token),
            self.name,
            expires_at=expires_at,
            scopes=tuple(scope.split()),
            workspace=workspace if isinstance(workspace, str) and not flaw(workspace) else None,
            stored_login=True,
        )
        return Finding(self.name, "found", where, credential=credential)


_WAYS = {
    "user_oauth": ("login", "run `ant auth login`"),
    "oidc_federation": ("federation", f"see what `{' '.join(COMMAND)}` says"),
}


def _pointed(pointer: Path) -> str | None:
    try:
        with pointer.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(1000).strip() or None
    except OSError:
        return None


def _document(file: Path) -> dict[str, object] | None:
    try:
        with file.open("rb") as opened:
            document = json.loads(opened.read(_MAX_FILE))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return document if isinstance(document, dict) else {}
