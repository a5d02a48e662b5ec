"""Pages of item lists, as OpenAI's list endpoints cut them: `after`, `before`, `limit` and `order`."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

from claude_proxy.errors import InvalidRequest

MAX_LIMIT = 100


class Item(msgspec.Struct, frozen=True):
    """An item of a response or a conversation: its id, and its JSON as it was stored."""

    id: str
    json: bytes


class Page(msgspec.Struct, frozen=True):
    """Items in the order that was requested, and whether more follow in the direction of the paging."""

    items: tuple[Item, ...]
    has_more: bool


class Paging(msgspec.Struct, frozen=True):
    """Which page: at most `limit` items beside the item `after` or `before`, neither of them included.

    Raises InvalidRequest for a limit that is not between 1 and 100.
    """

    after: str | None = None
    before: str | None = None
    limit: int = 20
    order: Literal["asc", "desc"] = "desc"

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidRequest(f"limit must be between 1 and {MAX_LIMIT}, not {self.limit}", param="limit")


class Window(NamedTuple):
    """Positions strictly between `low` and `high`, to be read in this direction."""

    low: float
    high: float
    ascending: bool


def window(paging: Paging, position_of: Callable[[str], int | None]) -> Window:
    """Which positions of a list the page comes from. Raises InvalidRequest for an item that is not in the list."""
    low, high = float("-inf"), float("inf")
    for param, item_id in (("after", paging.after), ("before", paging.before)):
        if item_id is None:
            continue
        position = position_of(item_id)
        if position is None:
            raise InvalidRequest(f"No item with id '{item_id}' found.", param=param)
        if (param == "after") == (paging.order == "asc"):
            low = max(low, position)
        else:
            high = min(high, position)
    # With `before` alone the page is the one next to that item, so it is read backwards.
    return Window(low, high, (paging.order == "asc") != _is_backwards(paging))


def page(found: Sequence[Item], paging: Paging) -> Page:
    """The page made of the first `limit` + 1 items `found` in the window, in the window's direction."""
    items = found[: paging.limit]
    return Page(tuple(reversed(items)) if _is_backwards(paging) else tuple(items), len(found) > paging.limit)


def page_of(items: Sequence[Item], paging: Paging) -> Page:
    """A page of a list that is in memory, oldest item first."""
    positions = {item.id: index for index, item in enumerate(items)}
    low, high, ascending = window(paging, positions.get)
    found = [item for index, item in enumerate(items) if low < index < high]
    return page(found if ascending else found[::-1], paging)


def _is_backwards(paging: Paging) -> bool:
    return paging.before is not None and paging.after is None
