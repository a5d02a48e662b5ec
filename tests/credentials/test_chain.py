import asyncio
import threading
from dataclasses import replace

import pytest

from claude_proxy import config
from claude_proxy.credentials import renewer
from claude_proxy.credentials.base import Credential, Finding, Secret, Source
from claude_proxy.credentials.chain import (
    RENEW_BEFORE,
    SOURCES,
    CredentialChain,
    credential_chain,
    winner,
)
from claude_proxy.credentials.renewer import RETRY_RENEWAL
from claude_proxy.credentials.simulated import SIMULATOR_KEY
from claude_proxy.errors import CredentialError, CredentialUnusable, NoCredential
from tests.credentials.conftest import until
from tests.credentials.contract import SECRET

NOW = 1_800_000_000.0


class Given(Source):
    """A source whose answer the test writes; it counts how often it is asked, and how often it renews."""

    description = "for a test"
    login_hint = "log in again"

    def __init__(self, name: str = "given", finding: Finding | None = None) -> None:
        self.name = name
        self.finding = finding or self.not_here("nothing")
        self.looks = self.renewals = self.version = 0
        self.replacement: Finding | None = None
        self.renewable = True

    def holds(self, text: str, expires_at: float | None = None, ttl: float | None = None) -> "Given":
        self.version += 1
        credential = Credential("oauth", Secret(text), self.name, expires_at=expires_at)
        self.finding = Finding(self.name, "found", credential=credential, ttl=ttl)
        return self

    def look(self):
        self.looks += 1
        return self.finding

    def fingerprint(self):
        return self.version

    def can_renew(self, credential):
        return self.renewable

    def renew(self, credential):
        self.renewals += 1
        if self.replacement is None:
            return "its owner is not here"
        self.finding, self.version = self.replacement, self.version + 1
        return None


class Hanging(Given):
    """A source whose look or renewal ends when the test releases it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name)
        self.holds(text)
        self.release = threading.Event()
        self.hangs = True

    def look(self):
        finding = super().look()
        if self.hangs:
            self.release.wait(30)
        return finding


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def made(*sources: Source, clock: Clock | None = None, url: str = config.ANTHROPIC_BASE_URL) -> CredentialChain:
    clock = clock or Clock()
    return CredentialChain(sources, config.load({}, {"ANTHROPIC_BASE_URL": url}), clock=clock, monotonic=clock)


async def text(chain: CredentialChain) -> str:
    return (await chain.credential()).secret.reveal()


def known(chain: CredentialChain) -> str | None:
    """The text of the credential that `chain` knows, without waiting; None if it knows of none."""
    try:
        credential = chain.known()
    except CredentialError:
        return None
    return credential.secret.reveal() if credential else None


async def test_the_first_source_that_has_one_wins():
    assert await text(made(Given("a"), Given("b").holds("first"), Given("c").holds("second"))) == "first"


async def test_while_nothing_changes_nothing_is_looked_at_again():
    first, second = Given("a"), Given("b").holds("token")
    chain = made(first, second)
    for _ in range(5):
        assert await text(chain) == "token"
    assert (first.looks, second.looks) == (1, 1)


async def test_a_new_login_is_used_by_the_next_request():
    first, second = Given("a"), Given("b").holds("old")
    chain = made(first, second)
    assert await text(chain) == "old"
    second.holds("new")
    assert await text(chain) == "new"
    first.holds("earlier")
    assert await text(chain) == "earlier"


async def test_for_a_moment_after_a_check_sources_are_not_checked_again():
    source = Given().holds("one")
    chain = CredentialChain([source], config.load({}, {}), recheck_interval=3600)
    assert await text(chain) == "one"  # looked at
    assert await text(chain) == "one"  # found unchanged
    source.holds("two")
    assert await text(chain) == "one"
    assert await chain.refused(Credential("oauth", Secret("one"), "given")) is not None  # a refusal does look
    assert await text(chain) == "two"


async def test_a_change_that_no_fingerprint_shows_is_noticed_after_the_ttl():
    clock, source = Clock(), Given().holds("old", ttl=60)
    chain = made(source, clock=clock)
    assert await text(chain) == "old"
    source.holds("new", ttl=60).version -= 1
    clock.now += 59
    assert await text(chain) == "old"
    assert source.looks == 1
    clock.now += 1
    assert await text(chain) == "old"  # the look is in the background
    await until(lambda: source.looks == 2)
    await until(lambda: known(chain) == "new")


async def test_an_answer_much_older_than_its_ttl_is_not_used():
    clock, source = Clock(), Given().holds("old", ttl=60)
    chain = made(source, clock=clock)
    assert await text(chain) == "old"
    source.holds("new", ttl=60).version -= 1
    clock.now += 120
    assert await text(chain) == "new"


async def test_a_logout_is_seen_by_the_next_request():
    source = Given().holds("token")
    chain = made(source)
    await text(chain)
    source.finding, source.version = source.not_here("gone"), 9
    with pytest.raises(NoCredential):
        await chain.credential()
    with pytest.raises(NoCredential):
        await chain.credential()
    assert source.looks == 2


async def test_without_any_the_error_says_where_was_looked_and_what_to_do():
    locked = Given("keychain")
    locked.finding = locked.cannot_look("it is locked")
    with pytest.raises(NoCredential) as caught:
        await made(locked, Given("file")).credential()
    assert "keychain: it is locked; file: nothing" in caught.value.message
    for way_out in ("claude auth login", "ANTHROPIC_API_KEY", "--simulator"):
        assert way_out in caught.value.text


async def test_what_is_unusable_is_passed_over():
    broken = Given("broken")
    broken.finding = broken.unusable("damaged", "repair it")
    assert await text(made(broken, Given("b").holds("token"))) == "token"


async def test_what_is_unusable_and_alone_is_the_error():
    broken = Given("broken")
    broken.finding = broken.unusable("damaged", "repair it")
    with pytest.raises(CredentialUnusable, match="broken: damaged") as caught:
        await made(broken, Given("empty")).credential()
    assert caught.value.hint == "repair it"


async def test_what_was_given_on_purpose_is_not_passed_over():
    broken, after = Given("broken"), Given("b").holds("token")
    broken.finding = broken.unusable("damaged", stops=True)
    chain = made(broken, after)
    with pytest.raises(CredentialUnusable, match="damaged"):
        await chain.credential()
    assert winner(await chain.survey()) is None


async def test_a_source_that_hangs_is_passed_over_and_delays_one_request_only():
    clock, hanging = Clock(), Hanging("hanging", "late")
    hanging.look_timeout = 0.05
    chain = made(hanging, Given("b").holds("token"), clock=clock)
    assert await text(chain) == "token"
    hanging.look_timeout = 30.0
    for _ in range(5):
        clock.now += 3600
        assert await asyncio.wait_for(text(chain), 10) == "token"
    assert "no answer" in (await chain.survey())[0].detail
    assert hanging.looks == 1
    assert sum(thread.name == "look: hanging" for thread in threading.enumerate()) == 1
    hanging.release.set()


class HangingWithoutFingerprint(Hanging):
    fingerprint = Source.fingerprint


@pytest.mark.parametrize("kind", [Hanging, HangingWithoutFingerprint])
async def test_a_late_answer_counts_when_it_comes(kind: type[Hanging]):
    slow = kind("slow", "first")
    slow.look_timeout = 0.05
    chain = made(slow, Given("b").holds("second"))
    assert await text(chain) == "second"
    slow.release.set()
    await until(lambda: known(chain) == "first")
    assert await text(chain) == "first"


async def test_fifty_requests_share_one_look():
    slow = Hanging("hanging", "token")
    chain = made(slow)
    waiting = [asyncio.create_task(text(chain)) for _ in range(50)]
    await until(lambda: slow.looks)
    waiting.pop().cancel()
    slow.release.set()
    assert set(await asyncio.gather(*waiting)) == {"token"}
    assert slow.looks == 1


async def test_a_hint_about_the_credential_in_force_is_logged_once(caplog):
    source = Given().holds("token")
    source.finding = replace(source.finding, hint="run `chmod 600 FILE`")
    chain = made(source)
    await text(chain)
    source.version += 1
    source.finding = replace(source.finding, detail="changed")
    await text(chain)
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "given: run `chmod 600 FILE`"
    ]


class TestKnown:
    async def test_nothing_is_known_before_the_first_search_has_ended(self):
        source = Hanging("hanging", "token")
        chain = made(source)
        assert chain.known() is None
        assert chain.known() is None
        source.release.set()
        await until(chain.known)
        assert source.looks == 1

    async def test_it_is_the_credential_in_force_and_costs_no_look(self):
        source = Given().holds("token")
        chain = made(source)
        credential = await chain.credential()
        assert chain.known() is credential
        assert source.looks == 1

    async def test_it_does_not_wait_for_a_source_that_hangs(self):
        source = Hanging("hanging", "old")
        source.hangs = False
        chain = made(source)
        old = await chain.credential()
        source.hangs = True
        source.holds("new")
        assert chain.known() is old
        await until(lambda: source.looks == 2)
        assert chain.known() is old
        source.release.set()
        await until(lambda: chain.known() is not old)

    async def test_a_search_that_found_nothing_is_the_error_until_something_is_there(self):
        source = Given()
        chain = made(source)
        with pytest.raises(NoCredential):
            await chain.credential()
        with pytest.raises(NoCredential, match="looked at: given: nothing"):
            chain.known()
        source.holds("token")
        with pytest.raises(NoCredential):
            chain.known()
        await until(lambda: known(chain) == "token")

    async def test_an_expired_login_is_renewed_without_a_wait(self):
        source = Given().holds("old", NOW - 1)
        source.replacement = Given().holds("new", NOW + 9999).finding
        chain = made(source)
        assert chain.known() is None
        await until(chain.known)
        assert source.renewals == 1


async def test_a_credential_that_may_not_go_there_is_passed_over_with_the_reason():
    stored = Given("stored").holds("token")
    free = Given("free")
    free.finding = Finding(
        "free", "found", credential=Credential("api_key", Secret("key"), "free", follows_base_url=True)
    )
    assert await text(made(stored, free, url="https://gateway.example")) == "key"
    with pytest.raises(CredentialUnusable, match=r"gateway\.example"):
        await made(stored, url="https://gateway.example").credential()


async def test_a_survey_asks_every_source():
    sources = [Given("a"), Given("b").holds("one"), Given("c").holds("two")]
    findings = await made(*sources).survey()
    assert [finding.state for finding in findings] == ["not here", "found", "found"]
    assert winner(findings) is findings[1]
    assert winner(findings[:1]) is None


async def test_a_survey_shows_what_has_expired_and_renews_nothing():
    source = Given().holds("token", NOW - 1)
    finding = (await made(source).survey())[0]
    assert finding.state == "unusable"
    assert finding.detail.startswith("expired 2027-01-15 07:59")
    assert finding.hint == "log in again"
    assert finding.credential is None
    assert source.renewals == 0


class TestRunningOut:
    async def test_an_expired_one_that_cannot_be_renewed_says_what_to_do(self):
        source = Given().holds("token", NOW - 1)
        source.renewable = False
        with pytest.raises(CredentialUnusable, match="expired") as caught:
            await made(source).credential()
        assert caught.value.hint == "log in again"

    async def test_one_about_to_expire_is_renewed_in_the_background_and_used_meanwhile(self):
        source = Given().holds("old", NOW + RENEW_BEFORE - 1)
        source.replacement = Given().holds("new", NOW + 9999).finding
        chain = made(source)
        assert await text(chain) == "old"
        await until(lambda: known(chain) == "new")
        assert await text(chain) == "new"
        assert source.renewals == 1

    async def test_a_renewal_that_hangs_delays_nothing_while_the_credential_is_good(self):
        source, begun, release = Given().holds("good", NOW + 200), threading.Event(), threading.Event()

        def renew(_):
            source.renewals += 1
            begun.set()
            release.wait(30)

        source.renew = renew  # type: ignore[method-assign]
        chain = made(source)
        for _ in range(5):
            assert await asyncio.wait_for(text(chain), 10) == "good"
            assert chain.known() is await chain.credential()
        assert await asyncio.to_thread(begun.wait, 10)
        assert source.renewals == 1
        release.set()

    async def test_an_expired_one_is_waited_for(self):
        source = Given().holds("old", NOW - 1)
        source.replacement = Given().holds("new", NOW + 9999).finding
        assert await text(made(source)) == "new"

    async def test_one_that_lasts_is_left_alone(self):
        source = Given().holds("token", NOW + RENEW_BEFORE + 1)
        assert await text(made(source)) == "token"
        assert source.renewals == 0

    async def test_time_passing_is_noticed(self):
        clock, source = Clock(), Given().holds("old", NOW + 9999)
        chain = made(source, clock=clock)
        assert await text(chain) == "old"
        source.replacement = Given().holds("new", NOW + 99999).finding
        clock.now += 9999
        assert await text(chain) == "new"

    async def test_one_that_was_not_renewed_is_used_to_its_end(self):
        clock, source = Clock(), Given().holds("old", NOW + 10)
        chain = made(source, clock=clock)
        assert await text(chain) == "old"
        await until(lambda: source.renewals == 1 and not chain._renewer._running)
        assert await text(chain) == "old"
        assert source.renewals == 1
        clock.now += 10
        with pytest.raises(CredentialUnusable, match=r"expired .* its owner is not here"):
            await chain.credential()

    async def test_a_failed_renewal_is_tried_again_after_a_while(self):
        clock, source = Clock(), Given().holds("old", NOW - 1)
        chain = made(source, clock=clock)
        for _ in range(3):
            with pytest.raises(CredentialUnusable):
                await chain.credential()
        assert source.renewals == 1
        source.replacement = Given().holds("new", NOW + 9999).finding
        clock.now += RETRY_RENEWAL
        assert await text(chain) == "new"
        assert source.renewals == 2

    async def test_a_failed_renewal_is_forgotten_when_the_store_changes(self):
        source = Given().holds("old", NOW - 1)
        chain = made(source)
        with pytest.raises(CredentialUnusable):
            await chain.credential()
        source.holds("also old", NOW - 1).replacement = Given().holds("new", NOW + 9999).finding
        assert await text(chain) == "new"

    async def test_a_renewal_without_effect_is_a_failed_one(self):
        source = Given().holds("old", NOW - 1)
        source.replacement = source.finding
        chain = made(source)
        for _ in range(2):
            with pytest.raises(CredentialUnusable, match="did not renew"):
                await chain.credential()
        assert source.renewals == 1

    async def test_a_renewal_that_takes_too_long_is_not_waited_for_and_not_doubled(self, monkeypatch):
        monkeypatch.setattr(renewer, "RENEWAL_TIMEOUT", 0.05)
        release, clock = threading.Event(), Clock()
        source = Given().holds("old", NOW - 1)

        def renew(_):
            source.renewals += 1
            release.wait(10)

        source.renew = renew  # type: ignore[method-assign]
        chain = made(source, clock=clock)
        for _ in range(2):
            with pytest.raises(CredentialUnusable, match="not renewed within"):
                await chain.credential()
            clock.now += RETRY_RENEWAL
        assert source.renewals == 1
        release.set()


class TestRefused:
    async def test_one_that_was_replaced_meanwhile_renews_nothing(self):
        source = Given().holds("old")
        chain = made(source)
        old = await chain.credential()
        source.holds("new")
        replacement = await chain.refused(old)
        assert replacement is not None
        assert replacement.secret.reveal() == "new"
        assert source.renewals == 0

    async def test_what_no_fingerprint_shows_is_found_by_reading_again(self):
        source = Given().holds("old")
        chain = made(source)
        old = await chain.credential()
        source.holds("new").version -= 1
        replacement = await chain.refused(old)
        assert replacement is not None
        assert replacement.secret.reveal() == "new"
        assert source.renewals == 0

    async def test_its_owner_renews_it(self):
        source = Given().holds("old", NOW + 9999)
        source.replacement = Given().holds("new", NOW + 9999).finding
        chain = made(source)
        replacement = await chain.refused(await chain.credential())
        assert replacement is not None
        assert replacement.secret.reveal() == "new"
        assert await text(chain) == "new"

    async def test_one_that_cannot_be_replaced_is_given_up_for_a_while(self):
        clock, source = Clock(), Given().holds("old")
        chain = made(source, clock=clock)
        old = await chain.credential()
        assert [await chain.refused(old) for _ in range(5)] == [None] * 5
        assert (source.looks, source.renewals) == (3, 1)
        clock.now += RETRY_RENEWAL
        assert await chain.refused(old) is None
        assert source.renewals == 2

    async def test_one_that_cannot_be_renewed_is_only_read_again(self):
        source = Given().holds("old")
        source.renewable = False
        chain = made(source)
        old = await chain.credential()
        assert [await chain.refused(old) for _ in range(5)] == [None] * 5
        assert (source.looks, source.renewals) == (2, 0)

    async def test_a_login_that_ends_in_the_renewal_is_the_error(self):
        source = Given().holds("old")
        source.replacement = source.unusable("the login has ended", "log in again")
        chain = made(source)
        with pytest.raises(CredentialUnusable, match="ended"):
            await chain.refused(await chain.credential())

    async def test_fifty_that_wait_cause_one_renewal(self):
        source = Given().holds("old")
        source.replacement = Given().holds("new").finding
        chain = made(source)
        old = await chain.credential()
        replaced = await asyncio.gather(*(chain.refused(old) for _ in range(50)))
        assert {each.secret.reveal() for each in replaced if each} == {"new"}
        assert source.renewals == 1

    async def test_a_caller_that_leaves_during_a_renewal_does_not_end_it(self):
        started, release = threading.Event(), threading.Event()
        source = Given().holds("old")

        def renew(_):
            source.renewals += 1
            started.set()
            release.wait(10)
            source.holds("new")

        source.renew = renew  # type: ignore[method-assign]
        chain = made(source)
        old = await chain.credential()
        first = asyncio.create_task(chain.refused(old))
        await asyncio.to_thread(started.wait, 10)
        second = asyncio.create_task(chain.refused(old))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        release.set()
        replacement = await second
        assert replacement is not None
        assert replacement.secret.reveal() == "new"
        assert source.renewals == 1


class TestTheUsersChain:
    async def test_sources_have_their_order(self, home):
        findings = await credential_chain(config.Config(), {"HOME": str(home)}).survey()
        assert len(findings) == len(SOURCES)
        assert [finding.source for finding in findings][:3] == [
            "system keyring",
            "ANTHROPIC_AUTH_TOKEN",
            "ANTHROPIC_API_KEY",
        ]
        assert {finding.state for finding in findings} <= {"not here", "cannot look"}

    async def test_the_environment_comes_before_the_stored_login(self, claude_cli):
        claude_cli.log_in("stored")
        claude_cli.keep_key("console")
        order = ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]
        environ = claude_cli.environ | {name: f"from-{name}" for name in order}
        for name in order:
            assert await text(credential_chain(config.Config(), environ, claude_cli.home)) == f"from-{name}"
            del environ[name]
        assert await text(credential_chain(config.Config(), environ, claude_cli.home)) == "stored"
        claude_cli.log_out()
        assert await text(credential_chain(config.Config(), environ, claude_cli.home)) == "console"

    async def test_login_switch_and_logout_are_live(self, claude_cli):
        chain = credential_chain(config.Config(), claude_cli.environ)
        with pytest.raises(NoCredential):
            await chain.credential()
        for token in ("first-account", "second-account"):
            claude_cli.log_in(token)
            assert await text(chain) == token
        claude_cli.log_out()
        with pytest.raises(NoCredential):
            await chain.credential()

    async def test_an_expired_login_says_what_to_type(self, claude_cli):
        claude_cli.log_in("expired", expiresAt=1_700_000_000_000, refreshToken=None)
        with pytest.raises(CredentialUnusable, match="expired 2023-11-14") as caught:
            await credential_chain(config.Config(), claude_cli.environ).credential()
        assert "claude auth login" in caught.value.text

    async def test_the_simulator_gets_a_made_up_key_and_nothing_else(self, claude_cli):
        claude_cli.log_in(SECRET)
        chain = credential_chain(
            config.load({"simulator": True}, {}), claude_cli.environ | {"ANTHROPIC_API_KEY": SECRET}
        )
        assert await text(chain) == SIMULATOR_KEY
        assert [finding.source for finding in await chain.survey()] == ["simulator"]

    async def test_nothing_that_is_logged_holds_a_secret(self, claude_cli, caplog):
        caplog.set_level("DEBUG")
        claude_cli.log_in(SECRET)
        chain = credential_chain(config.Config(), claude_cli.environ | {"PATH": ""})
        await chain.refused(await chain.credential())
        assert "credential in use: Claude CLI login" in caplog.text
        assert SECRET not in caplog.text


def test_the_chain_is_cheap_to_import():
    import subprocess
    import sys

    program = (
        "import sys, claude_proxy.credentials.chain; print([m for m in ('keyring', 'aiohttp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
