"""Anthropic profiles (`ant auth login`): a login to the Console that Anthropic's SDKs and tools share."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from claude_proxy.credentials.base import MAX_SECRET, Credential, Finding, Secret, Source, flaw
from claude_proxy.credentials.claude_cli_paths import ABSOLUTE_PATH_HINT, relative_path_problem
from claude_proxy.credentials.file_reading import read_file
from claude_proxy.credentials.fingerprint import fingerprint
from claude_proxy.credentials.permissions import exposure_hint
from claude_proxy.credentials.programs import ProgramError, find_program, run_program, without_secrets
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
_MAX_NAME = 1000
_ANT_TIMEOUT = 15.0
# A printed token does not say how long it lasts, which is five minutes or more. It may be used for twice this time.
_PRINTED_TTL = 120.0
_RETRY = 60.0  # after `ant` printed no token


@dataclass(frozen=True)
class ProfilePaths:
    """The files of the active profile; `problem` says why there can be none, with a hint."""

    name: str
    config: Path
    credentials: Path
    pointer: Path
    problem: tuple[str, str] | None = None


def profile_paths(environ: Mapping[str, str], home: Path) -> ProfilePaths:
    """Where the active profile is: ANTHROPIC_PROFILE, else what `active_config` names, else `default`."""
    custom = environ.get("ANTHROPIC_CONFIG_DIR")
    base = Path(custom) if custom else home / ".config" / "anthropic"
    pointer = base / "active_config"
    problem = None
    if relative := relative_path_problem(environ, "ANTHROPIC_CONFIG_DIR"):
        problem, name = (relative, ABSOLUTE_PATH_HINT), "default"
    else:
        name = environ.get("ANTHROPIC_PROFILE") or _active_name(pointer) or "default"
    if name.startswith(".") or any(each in name for each in "/\\\0") or name != name.strip():
        # it must not lead out of the directory
        problem = ("the profile's name is not a file name", "correct ANTHROPIC_PROFILE or `active_config`")
    return ProfilePaths(
        name, base / "configs" / f"{name}.json", base / "credentials" / f"{name}.json", pointer, problem
    )


class Profile(Source):
    """The active profile, if it logs in the way `way` says: by a person's login, or as a workload."""

    look_timeout = _ANT_TIMEOUT + 5

    def __init__(self, way: Way, environ: Mapping[str, str], home: Path) -> None:
        kind, self.login_hint = _WAYS[way]
        self.name = f"Anthropic profile ({kind})"
        self.description = "a profile of Anthropic's own tools (`ant auth login`)"
        self._way = way
        self._environ = environ
        self._home = home
        self._paths = profile_paths(environ, home)
        self._pointer_fingerprint: object = None

    def fingerprint(self) -> object:
        pointer = fingerprint(self._paths.pointer)
        if pointer != self._pointer_fingerprint:  # only then another profile may be the active one
            self._paths, self._pointer_fingerprint = profile_paths(self._environ, self._home), pointer
        return (pointer, *fingerprint(self._paths.config, self._paths.credentials))

    def look(self) -> Finding:
        paths = profile_paths(self._environ, self._home)
        if paths.problem:
            return self.unusable(*paths.problem)
        try:
            config = _read_json(paths.config)
            if config is None:
                return self.not_here(f"no profile in {paths.config}")
            login = config.get("authentication")
            way = login.get("type") if isinstance(login, dict) else None
            if way != self._way:
                return self.not_here(f"the profile {paths.name} is of another type")
            stored = _read_json(paths.credentials)
        except OSError as exc:
            return self.cannot_look(f"{paths.config.parent.parent}: {exc.strerror}")
        except (ValueError, RecursionError):
            return self.unusable(f"the profile {paths.name} is not valid JSON", self.login_hint)
        if stored is None and self._way == "oidc_federation":
            return self._run_ant(config)
        return self._read(paths, config, stored or {})

    def can_renew(self, credential: Credential) -> bool:
        return credential.expires_at is not None

    def renew(self, credential: Credential) -> str | None:
        """Let `ant` print a token: it renews and stores the login first if it has to."""
        store = profile_paths(self._environ, self._home).credentials
        renewal = Renewal(
            COMMAND[0],
            [COMMAND[1:]],
            store,
            self._environ,
            self._home,
            keep=(*PROGRAM_VARIABLES, *_FEDERATION_VARIABLES),
        )
        return renewal.run(lambda: self.look().credential != credential)

    def _read(self, paths: ProfilePaths, config: Mapping[str, object], stored: Mapping[str, object]) -> Finding:
        token = stored.get("access_token")
        if not isinstance(token, str) or not token.strip():
            return self.unusable(f"the profile {paths.name} holds no token", self.login_hint)
        if problem := flaw(token):
            return self.unusable(f"the profile's token cannot be used: {problem}", self.login_hint)
        scope = stored.get("scope")
        credential = self._credential(
            token, config, epoch_seconds(stored.get("expires_at")), scope if isinstance(scope, str) else ""
        )
        return Finding(self.name, "found", str(paths.credentials), exposure_hint(paths.credentials), credential)

    def _run_ant(self, config: Mapping[str, object]) -> Finding:
        """A federated profile without a stored token: Anthropic's program exchanges one and prints it."""
        program = find_program(COMMAND[0], self._environ, self._home)
        if program is None:
            detail = f"the program `{COMMAND[0]}`, which gets its tokens, was not found"
            return self.unusable(detail, self.login_hint, ttl=_RETRY)
        command = " ".join(COMMAND)
        try:
            done = run_program(
                [program, *COMMAND[1:]],
                environ=without_secrets(self._environ, (*PROGRAM_VARIABLES, *_FEDERATION_VARIABLES)),
                cwd=self._home,
                timeout=_ANT_TIMEOUT,
                max_output=2 * MAX_SECRET,
            )
        except ProgramError as exc:
            return self.unusable(f"`{command}` could not be used: {exc}", self.login_hint, ttl=_RETRY)
        token = done.stdout.decode("utf-8", "replace").strip()
        if done.code != 0 or flaw(token):
            return self.unusable(f"`{command}` printed no token (exit code {done.code})", self.login_hint, ttl=_RETRY)
        credential = self._credential(token, config, None, "")
        return Finding(self.name, "found", str(program), credential=credential, ttl=_PRINTED_TTL)

    def _credential(self, token: str, config: Mapping[str, object], expires_at: float | None, scope: str) -> Credential:
        # A workload's token belongs to its workspace already; a person's is told which one by a header.
        workspace = config.get("workspace_id") if self._way == "user_oauth" else None
        return Credential(
            "oauth",
            Secret(token),
            self.name,
            expires_at=expires_at,
            scopes=tuple(each for each in scope.split() if not flaw(each)),
            workspace=workspace if isinstance(workspace, str) and not flaw(workspace) else None,
            stored_login=True,
        )


_WAYS = {
    "user_oauth": ("login", "run `ant auth login`"),
    "oidc_federation": ("federation", f"run `{' '.join(COMMAND)}` to see what is wrong"),
}


def _active_name(pointer: Path) -> str | None:
    try:
        content = read_file(pointer, _MAX_NAME)
    except OSError:
        return None
    return content.data.decode("utf-8", "replace").strip() or None if content else None


def _read_json(file: Path) -> dict[str, object] | None:
    """The JSON object in `file`; None if there is no file. Raises OSError, ValueError and RecursionError."""
    content = read_file(file, _MAX_FILE)
    if content is None:
        return None
    document = json.loads(content.data)
    return document if isinstance(document, dict) else {}
