import pytest

from claude_proxy.errors import InvalidRequest
from claude_proxy.store.paging import Item, Paging, page_of

ITEMS = [Item(name, b"{}") for name in "abcdef"]


def ids(**paging: object) -> tuple[str, bool]:
    found = page_of(ITEMS, Paging(**paging))  # type: ignore[arg-type] # as the test gives them
    return "".join(item.id for item in found.items), found.has_more


@pytest.mark.parametrize(
    ("paging", "expected"),
    [
        ({}, ("fedcba", False)),
        ({"order": "asc"}, ("abcdef", False)),
        ({"order": "asc", "limit": 2}, ("ab", True)),
        ({"order": "asc", "limit": 2, "after": "b"}, ("cd", True)),
        ({"order": "asc", "limit": 2, "after": "d"}, ("ef", False)),
        ({"order": "asc", "after": "f"}, ("", False)),
        ({"limit": 2, "after": "e"}, ("dc", True)),
        ({"order": "asc", "limit": 2, "before": "e"}, ("cd", True)),
        ({"order": "asc", "limit": 2, "before": "c"}, ("ab", False)),
        ({"limit": 2, "before": "b"}, ("dc", True)),
        ({"limit": 9, "before": "d"}, ("fe", False)),
        ({"order": "asc", "after": "a", "before": "e"}, ("bcd", False)),
        ({"after": "e", "before": "b"}, ("dc", False)),
    ],
)
def test_a_page_lies_beside_its_cursor(paging: dict[str, object], expected: tuple[str, bool]):
    assert ids(**paging) == expected


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_following_the_pages_gives_every_item_once(order: str):
    seen, more = "", True
    while more:
        found, more = ids(order=order, limit=4, after=seen[-1] if seen else None)
        seen += found
    assert seen == ("abcdef" if order == "asc" else "fedcba")


@pytest.mark.parametrize("limit", [0, 101, -1])
def test_a_limit_outside_1_to_100_is_refused(limit: int):
    with pytest.raises(InvalidRequest) as caught:
        Paging(limit=limit)
    assert caught.value.param == "limit"


@pytest.mark.parametrize("param", ["after", "before"])
def test_a_cursor_that_is_not_in_the_list_is_refused(param: str):
    with pytest.raises(InvalidRequest, match="No item with id 'z' found") as caught:
        ids(**{param: "z"})
    assert caught.value.param == param
