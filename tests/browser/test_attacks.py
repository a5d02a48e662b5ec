import pytest

from tests.browser.attacks import ATTACKS, BODY, PRELUDE, Attack
from tests.browser.chromium import Page
from tests.browser.conftest import LEGITIMATE, Answers, ask_as_a_program_does, assert_only_programs_were_served, port
from tests.support.daemon import daemon as running_daemon

pytestmark = pytest.mark.component("chromium")

# Where the page comes from, and the name by which it reaches this machine.
SAME_SITE = ("127.0.0.1", "127.0.0.1")
CROSS_SITE = ("evil.example", "localhost")
OTHER_NAME = ("localhost", "127.0.0.1")
FOREIGN_NAME = ("evil.example", "evil.example")
CONFIGURED_NAME = ("evil.example", "box.example")
NO_ADDRESS = ("evil.example", "0.0.0.0")


async def attacked(page: Page, attack: Attack, place: tuple[str, str], attacker: int, daemon: int) -> object:
    """What `attack` makes out from a page of `place`."""
    await page.open(f"http://{place[0]}:{attacker}/")
    return await page.run(PRELUDE + attack.javascript, target=f"http://{place[1]}:{daemon}", body=BODY)


@pytest.mark.parametrize("place", [SAME_SITE, CROSS_SITE, OTHER_NAME, FOREIGN_NAME], ids=" asks ".join)
async def test_a_page_causes_nothing_and_sees_nothing(
    place: tuple[str, str], page: Page, attacker: int, answers: Answers
) -> None:
    async with running_daemon() as daemon:
        for attack in ATTACKS:
            seen = await attacked(page, attack, place, attacker, port(daemon))
            assert (attack.name, seen) == (attack.name, attack.seen)
            expected = attack.answers
            if place == FOREIGN_NAME:
                expected = tuple(f"{answer.rpartition(' ')[0]} forbidden_host" for answer in expected)
            assert (attack.name, await answers.take(len(expected))) == (attack.name, expected)
        await ask_as_a_program_does(daemon)
        assert await answers.take() == (LEGITIMATE,)
        assert_only_programs_were_served(daemon)


async def test_the_address_that_is_none_opens_nothing(page: Page, attacker: int, answers: Answers) -> None:
    async with running_daemon() as daemon:
        for attack in ATTACKS:
            if "window" not in attack.name:
                await attacked(page, attack, NO_ADDRESS, attacker, port(daemon))
        await ask_as_a_program_does(daemon)
        # Browsers begin to refuse this address themselves, so how many of them came is not for us to say.
        assert {answer.rpartition(" ")[2] for answer in answers.given if answer != LEGITIMATE} <= {"forbidden_host"}
        assert_only_programs_were_served(daemon)


async def test_by_a_configured_name_a_page_spends_and_sees_nothing(page: Page, attacker: int, answers: Answers) -> None:
    # To a browser, plain HTTP to such a name is no trustworthy address: it sends no `Sec-Fetch-Site`, so GETs come in.
    async with running_daemon(allowed_hosts=("box.example",)) as daemon:
        for attack in ATTACKS:
            seen = await attacked(page, attack, CONFIGURED_NAME, attacker, port(daemon))
            assert (attack.name, seen) in ((attack.name, attack.seen), (attack.name, "loaded"))
            expected = tuple(answer.replace("403 forbidden_site", "200") for answer in attack.answers)
            assert (attack.name, await answers.take(len(expected))) == (attack.name, expected)
        assert_only_programs_were_served(daemon, asked=0)


async def test_without_a_guard_a_page_would_spend(
    page: Page, attacker: int, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_proxy.server.guard.refusal", lambda *_: None)
    spending = [attack for attack in ATTACKS if attack.spends]
    async with running_daemon() as daemon:
        for attack in spending:
            seen = await attacked(page, attack, CROSS_SITE, attacker, port(daemon))
            assert (attack.name, seen) == (attack.name, attack.seen)
            assert (attack.name, await answers.take()) == (attack.name, (LEGITIMATE,))
        assert_only_programs_were_served(daemon, asked=len(spending))
