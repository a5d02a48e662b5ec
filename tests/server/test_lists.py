import pytest
from aiohttp.test_utils import make_mocked_request

from claude_proxy.errors import InvalidRequest
from claude_proxy.server.lists import included, list_object, paging_of, true_or_false
from claude_proxy.store.paging import Item, Paging


def test_a_query_says_which_page():
    request = make_mocked_request("GET", "/x?after=a&limit=5&order=asc")
    assert paging_of(request) == Paging(after="a", limit=5, order="asc")
    assert paging_of(make_mocked_request("GET", "/x")) == Paging()


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=-5", "limit=1e3", "order=x"])
def test_a_bad_page_names_the_parameter(query: str):
    with pytest.raises(InvalidRequest) as raised:
        paging_of(make_mocked_request("GET", f"/x?{query}"))
    assert raised.value.param == query.partition("=")[0]


@pytest.mark.parametrize("query", ["include=a,b", "include[]=a&include[]=b", "include=a&include=b"])
def test_include_has_three_spellings(query: str):
    a, b = "reasoning.encrypted_content", "message.output_text.logprobs"
    url = "/x?" + query.replace("=a", f"={a}").replace(",b", f",{b}").replace("=b", f"={b}")
    assert included(make_mocked_request("GET", url)) == [a, b]


def test_an_unknown_include_is_refused():
    with pytest.raises(InvalidRequest, match="Supported values"):
        included(make_mocked_request("GET", "/x?include=everything"))


@pytest.mark.parametrize(("query", "value"), [("", False), ("a=true", True), ("a=True", True), ("a=false", False)])
def test_a_flag(query: str, value: bool):
    assert true_or_false(make_mocked_request("GET", f"/x?{query}").query, "a") is value


def test_what_is_no_flag_is_refused():
    with pytest.raises(InvalidRequest, match="Supported values"):
        true_or_false({"a": "maybe"}, "a")


def test_a_list_names_its_first_and_last_item():
    items = [Item("a", b'{"id":"a"}'), Item("b", b'{"id":"b"}')]
    assert list_object(items, [], has_more=True) == (
        b'{"object":"list","data":[{"id":"a"},{"id":"b"}],"first_id":"a","last_id":"b","has_more":true}'
    )
