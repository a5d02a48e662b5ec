import pytest

from tests.browser.attacks import ATTACKS, BODY, PRELUDE, Attack
from tests.browser.chromium import Page
from tests.browser.conftest import LEGITIMATE, Answers, ask_as_a_program_does, assert_only_programs_were_served, port
from tests.support.daemon import daemon as running_daemon

pytestmark = pytest.mark.component("chromium")

# Where the page comes from, and the name it has for this machine: the same site, another, and one of its own.
PLACES = (("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("evil.example", "localhost"))
FOREIGN = ("evil.example", "evil.example")


async def attacked(page: Page, attack: Attack, place: tuple[str, str], attacker: int, daemon: int) -> object:
    """What `attack` makes out from a page of `place`."""
    await page.open(f"http://{place[0]}:{attacker}/")
    return await page.run(PRELUDE + attack.javascript, target=f"http://{place[1]}:{daemon}", body=BODY)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_a_page_causes_nothing_and_sees_nothing(
    attack: Attack, page: Page, attacker: int, answers: Answers
) -> None:
    async with running_daemon() as daemon:
        expected: list[str] = []
        for place in (*PLACES, FOREIGN):
            assert (place, await attacked(page, attack, place, attacker, port(daemon))) == (place, attack.seen)
            code = "forbidden_host" if place == FOREIGN else None
            expected += [f"{answer.rpartition(' ')[0]} {code}" if code else answer for answer in attack.answers]
            assert await answers.until(len(expected)) == expected
        await ask_as_a_program_does(daemon)
        assert answers.given == [*expected, LEGITIMATE]
        assert_only_programs_were_served(daemon)


async def test_the_address_that_is_none_opens_nothing(page: Page, attacker: int, answers: Answers) -> None:
    async with running_daemon() as daemon:
        for attack in ATTACKS:
            if "window" not in attack.name:
                await attacked(page, attack, ("evil.example", "0.0.0.0"), attacker, port(daemon))
        await ask_as_a_program_does(daemon)
        # Browsers begin to refuse this address themselves, so how many of them came is not for us to say.
        assert {answer.rpartition(" ")[2] for answer in answers.given if answer != LEGITIMATE} <= {"forbidden_host"}
        assert_only_programs_were_served(daemon)


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.spends], ids=lambda attack: attack.name)
async def test_without_a_guard_the_page_would_spend(
    attack: Attack, page: Page, attacker: int, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_proxy.server.guard.refusal", lambda *_: None)
    async with running_daemon() as daemon:
        assert await attacked(page, attack, PLACES[-1], attacker, port(daemon)) == attack.seen
        assert await answers.until(1) == [LEGITIMATE]
        assert_only_programs_were_served(daemon)
