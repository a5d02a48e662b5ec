from claude_proxy.credentials.keychain_age import KEYCHAIN_TTL, KeychainAge


def test_an_answer_of_the_keychain_ages():
    now = 100.0
    age = KeychainAge("darwin", lambda: now)
    assert not age.aged()
    now += KEYCHAIN_TTL
    assert age.aged()
    age.looked()
    assert not age.aged()


def test_without_a_keychain_nothing_ages():
    now = 100.0
    age = KeychainAge("linux", lambda: now)
    now += 10 * KEYCHAIN_TTL
    assert not age.aged()
