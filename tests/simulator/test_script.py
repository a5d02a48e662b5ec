import pytest

from claude_proxy.simulator import script
from claude_proxy.simulator.api_error import ApiError
from claude_proxy.simulator.script import Line


def test_only_lines_with_the_prefix_are_a_script():
    text = "Hello\n/simulate text  Hi there \n /simulate text no\nmore\n/simulate ping"
    assert script.parse(text) == [Line("text", "Hi there"), Line("ping", "")]


def test_an_argument_may_be_a_json_string():
    assert Line("text", r'"a\nb"').text == "a\nb"
    assert Line("text", "plain").text == "plain"


def test_next_divides_a_script_into_answers():
    lines = script.parse("/simulate text one\n/simulate next\n/simulate text two\n/simulate next")
    assert [script.section(lines, number) for number in range(4)] == [
        [Line("text", "one")],
        [Line("text", "two")],
        [],
        [],
    ]


@pytest.mark.parametrize(
    ("play", "text"),
    [
        (lambda: script.parse("/simulate dance"), "simulator: `dance` is not a command of the script language"),
        (lambda: Line("text", '"open').text, 'simulator: "open is not JSON: Input data was truncated'),
        (lambda: Line("text", '"a" b').text, 'simulator: "a" b is not JSON: '),
        (lambda: Line("words", "many").number, "simulator: `words` needs a number from 1 to 999999999"),
        (lambda: Line("words", "9" * 5000).number, "simulator: `words` needs a number from 1 to 999999999"),
        (lambda: Line("words", "0").number, "simulator: `words` needs a number from 1 to 999999999"),
        (lambda: Line("tool", "").names(), "simulator: `tool` needs a name"),
        (lambda: script.http_error(Line("status", "")), "simulator: `status` needs an HTTP status"),
        (lambda: script.http_error(Line("status", '429 "open')), "simulator: `status` needs an HTTP status"),
        (lambda: script.http_error(Line("status", "200")), "simulator: 200 is not the status of an error"),
        (lambda: script.http_error(Line("status", "429 times=" + "9" * 5000)), "simulator: `times` needs a number"),
        (lambda: script.http_error(Line("status", "429 times=x")), "simulator: `times` needs a number"),
        (lambda: script.http_error(Line("status", "429 a:b=c")), "simulator: `a:b` cannot be sent as a header"),
        (lambda: script.http_error(Line("status", "429 a=é")), "simulator: `a` cannot be sent as a header"),
        (
            lambda: script.http_error(Line("status", "429 Content-Length=1")),
            "simulator: `Content-Length` cannot be sent as a header",
        ),
        (lambda: script.http_error(Line("status", "429 xml")), "simulator: `xml` is not a body format"),
    ],
)
def test_a_script_that_cannot_be_played_says_why(play, text):
    with pytest.raises(ApiError) as caught:
        play()
    assert caught.value.message.startswith(text)


@pytest.mark.parametrize(
    ("status", "type_", "message"),
    [
        (429, "rate_limit_error", "This request would exceed your organization's rate limit. Please try again later."),
        (529, "overloaded_error", "Overloaded"),
        (500, "api_error", "Internal server error"),
        (418, "invalid_request_error", "Simulated error"),
        (599, "api_error", "Simulated error"),
    ],
)
def test_a_status_brings_its_type_and_a_sentence(status, type_, message):
    error = script.http_error(Line("status", str(status))).error
    assert (error.status, error.type, error.message) == (status, type_, message)


def test_everything_about_an_http_error_can_be_said():
    line = Line("status", '400 retry-after=2 type=billing_error message="no credit" error_code=x times=3 html')
    failure = script.http_error(line)
    assert (failure.body_format, failure.times) == ("html", 3)
    assert failure.error.headers == {"retry-after": "2"}
    assert failure.error.value("req")["error"] == {
        "type": "billing_error",
        "message": "no credit",
        "details": {"error_code": "x"},
    }
