from claude_proxy.server.page_access import CODE_LIFETIME, MAX_ATTEMPTS, MAX_SESSIONS, SESSION_LIFETIME, PageAccess


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_code_opens_one_session() -> None:
    access = PageAccess()
    code = access.new_code()
    token = access.open_session(f" {code.lower()} ")
    assert token is not None
    assert access.is_session(token)
    assert access.open_session(code) is None


def test_a_code_is_long_and_differs_each_time() -> None:
    access = PageAccess()
    codes = {access.new_code() for _ in range(100)}
    assert len(codes) == 100
    assert {len(code.replace("-", "")) for code in codes} == {12}


def test_a_newer_code_makes_the_older_one_void() -> None:
    access = PageAccess()
    old, new = access.new_code(), access.new_code()
    assert access.open_session(old) is None
    assert access.open_session(new) is not None


def test_codes_and_sessions_end() -> None:
    clock = Clock()
    access = PageAccess(clock)
    late, code = access.new_code(), access.new_code()
    token = access.open_session(code)
    assert token is not None
    clock.now = SESSION_LIFETIME
    assert not access.is_session(token)
    late = access.new_code()
    clock.now += CODE_LIFETIME
    assert access.open_session(late) is None


def test_after_some_wrong_attempts_a_code_is_void() -> None:
    access = PageAccess()
    code = access.new_code()
    assert [access.open_session("AAAA-AAAA-AAAA") for _ in range(MAX_ATTEMPTS)] == [None] * MAX_ATTEMPTS
    assert access.open_session(code) is None


def test_sessions_are_bounded_and_the_oldest_ends() -> None:
    access = PageAccess()
    tokens = [access.open_session(access.new_code()) or "" for _ in range(MAX_SESSIONS + 1)]
    assert [access.is_session(token) for token in tokens] == [False] + [True] * MAX_SESSIONS


def test_nothing_else_is_a_session() -> None:
    access = PageAccess()
    access.open_session(access.new_code())
    assert not any(access.is_session(text) for text in ("", "x", "\udcff", "\u00e4"))
