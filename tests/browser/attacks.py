"""What a page can try against a server on the same machine, and what it is to see of it: nothing.

Each attack is the body of an async function that runs in the attacker's page. It knows `target`, the server's
address, and `body`, the JSON of a chat completion, and it returns all that the page could make out.
"""

import json
from dataclasses import dataclass

CHAT = "/openai/v1/chat/completions"
# The "=" is where a form's field ends and its value begins.
BODY = json.dumps({"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": "one and one = what"}]})

POST = f"POST {CHAT} 403 forbidden_origin"
PREFLIGHT = f"OPTIONS {CHAT} 403 forbidden_origin"

PRELUDE = f"""
const chat = target + "{CHAT}";
const models = target + "/openai/v1/models";
const redirected = url => "/redirect?to=" + encodeURIComponent(url);
const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

const read = reply => reply.then(async r => `${{r.type}} ${{r.status}} ${{await r.text()}}`.trim(), e => e.name);
const post = (data, options) => read(fetch(chat, {{method: "POST", body: data, ...options}}));
const loaded = element => new Promise(resolve => {{
  element.onload = element.onloadeddata = () => resolve("loaded");
  element.onerror = () => resolve("error");
  document.body.append(element);
}});
const frame = element => loaded(element).then(() => String(element.contentDocument?.body?.innerText));
const xhr = (method, url, data) => new Promise(resolve => {{
  const request = new XMLHttpRequest();
  request.open(method, url);
  request.withCredentials = true;
  request.onloadend = () => resolve(`${{request.status}} ${{request.responseText}}`.trim());
  request.send(data);
}});
const form = (enctype, properties) => {{
  const made = make("form", {{method: "post", action: chat, enctype, ...properties}});
  const [name, value] = body.split("=");
  made.append(make("input", {{name, value}}));
  document.body.append(made);
  return made;
}};
const submit = (enctype, properties) => new Promise(resolve => {{
  const into = document.body.appendChild(make("iframe", {{name: "into"}}));
  into.onload = () => resolve(String(into.contentDocument?.body?.innerText));
  form(enctype, {{target: "into", ...properties}}).submit();
}});
const sandboxed = script => new Promise(resolve => {{
  onmessage = event => resolve(event.data);
  document.body.append(make("iframe", {{
    sandbox: "allow-scripts allow-forms",
    srcdoc: `<body><script>const chat = ${{JSON.stringify(chat)}}, body = ${{JSON.stringify(body)}};
             const tell = text => parent.postMessage(text, "*");${{script}}</script>`,
  }}));
}});
const closed = async other => {{
  for (;;) {{
    try {{ other.document.body; }} catch (error) {{ return error.name; }}
    await new Promise(resolve => setTimeout(resolve, 10));
  }}
}};
"""


@dataclass(frozen=True)
class Attack:
    """`answers` is what reaches the server, and its answer; `spends` if a server without a guard sends it upstream."""

    name: str
    javascript: str
    answers: tuple[str, ...]
    seen: object
    spends: bool = False


def _get(path: str, code: str = "forbidden_site") -> tuple[str]:
    return (f"GET {path} 403 {code}",)


_CORS = "TypeError"  # all that fetch says when it may not say more
_MODELS = "/openai/v1/models"

ATTACKS = (
    Attack("fetch of text", "return post(body)", (POST,), _CORS, spends=True),
    Attack(
        "fetch of text that ends like JSON",
        'return post(body, {headers: {"Content-Type": "text/plain; application/json"}})',
        (POST,),
        _CORS,
        spends=True,
    ),
    Attack("fetch of a form", "return post(new URLSearchParams({body}))", (POST,), _CORS),
    Attack(
        "fetch of a multipart form",
        "const data = new FormData(); data.append('body', body); return post(data)",
        (POST,),
        _CORS,
    ),
    Attack("fetch of a blob without a type", "return post(new Blob([body]))", (POST,), _CORS, spends=True),
    Attack("fetch of bytes", "return post(new TextEncoder().encode(body))", (POST,), _CORS, spends=True),
    Attack(
        "fetch of JSON",
        'return post(body, {headers: {"Content-Type": "application/json"}})',
        (PREFLIGHT,),
        _CORS,
    ),
    Attack("fetch with a key", 'return post(body, {headers: {Authorization: "Bearer x"}})', (PREFLIGHT,), _CORS),
    Attack("fetch with credentials", 'return post(body, {credentials: "include"})', (POST,), _CORS, spends=True),
    Attack("fetch without CORS", 'return post(body, {mode: "no-cors"})', (POST,), "opaque 0", spends=True),
    Attack(
        "fetch of JSON without CORS",
        'return post(new Blob([body], {type: "application/json"}), {mode: "no-cors"})',
        (POST,),
        "opaque 0",
        spends=True,
    ),
    Attack(
        "fetch without a referrer", 'return post(body, {referrerPolicy: "no-referrer"})', (POST,), _CORS, spends=True
    ),
    Attack(
        "fetch through a redirect",
        'return read(fetch(redirected(chat), {method: "POST", body}))',
        (POST,),
        _CORS,
        spends=True,
    ),
    Attack(
        "DELETE", 'return read(fetch(models, {method: "DELETE"}))', (f"OPTIONS {_MODELS} 403 forbidden_origin",), _CORS
    ),
    Attack("beacon", "return navigator.sendBeacon(chat, body)", (POST,), True, spends=True),
    Attack(
        "beacon of JSON",
        'return navigator.sendBeacon(chat, new Blob([body], {type: "application/json"}))',
        (PREFLIGHT,),
        True,
    ),
    Attack("XMLHttpRequest", 'return xhr("POST", chat, body)', (POST,), "0", spends=True),
    Attack("form", 'return submit("application/x-www-form-urlencoded")', (POST,), "undefined"),
    Attack("multipart form", 'return submit("multipart/form-data")', (POST,), "undefined"),
    Attack("text form that is JSON", 'return submit("text/plain")', (POST,), "undefined", spends=True),
    Attack(
        "form through a redirect",
        'return submit("text/plain", {action: redirected(chat)})',
        (POST,),
        "undefined",
        spends=True,
    ),
    Attack(
        "form in a new window",
        'form("text/plain", {target: "other"}).submit(); return closed(open("", "other"))',
        (POST,),
        "SecurityError",
        spends=True,
    ),
    Attack(
        "fetch in a sandboxed frame",
        'return sandboxed(`fetch(chat, {method: "POST", body}).then(r => r.text(), e => e.name).then(tell)`)',
        (POST,),
        _CORS,
        spends=True,
    ),
    Attack(
        "form in a sandboxed frame",
        """return sandboxed(`
          const [name, value] = body.split("=");
          const made = Object.assign(document.createElement("form"), {method: "post", action: chat});
          made.enctype = "text/plain";
          made.append(Object.assign(document.createElement("input"), {name, value}));
          document.body.append(made);
          made.submit();
          tell("submitted")`)""",
        (POST,),
        "submitted",
        spends=True,
    ),
    Attack(
        "report of a broken policy",
        'return loaded(make("iframe", {src: "/reporting?to=" + encodeURIComponent(chat)}))',
        (POST,),
        "loaded",
    ),
    Attack("fetch of the status", 'return read(fetch(target + "/status"))', _get("/status", "forbidden_origin"), _CORS),
    Attack(
        "fetch of the status without CORS",
        'return read(fetch(target + "/status", {mode: "no-cors"}))',
        _get("/status"),
        "opaque 0",
    ),
    Attack(
        "XMLHttpRequest for the status",
        'return xhr("GET", target + "/status")',
        _get("/status", "forbidden_origin"),
        "0",
    ),
    Attack("image", 'return loaded(make("img", {src: models}))', _get(_MODELS), "error"),
    Attack("image through a redirect", 'return loaded(make("img", {src: redirected(models)}))', _get(_MODELS), "error"),
    Attack("image of health", 'return loaded(make("img", {src: target + "/health"}))', _get("/health"), "error"),
    Attack("script", 'return loaded(make("script", {src: models}))', _get(_MODELS), "error"),
    Attack(
        "script as a module",
        'return loaded(make("script", {type: "module", src: models}))',
        _get(_MODELS, "forbidden_origin"),
        "error",
    ),
    Attack(
        "style sheet",
        'return loaded(make("link", {rel: "stylesheet", href: target + "/status"}))',
        _get("/status"),
        "error",
    ),
    # Of its own address: what was fetched ahead is kept, and answers the next one who asks for it.
    Attack("prefetch", 'return loaded(make("link", {rel: "prefetch", href: models + "?x"}))', _get(_MODELS), "error"),
    Attack("video", 'return loaded(make("video", {src: models}))', _get(_MODELS), "error"),
    Attack("object", 'return loaded(make("object", {data: models}))', _get(_MODELS), "error"),
    Attack("frame", 'return frame(make("iframe", {src: target + "/status"}))', _get("/status"), "undefined"),
    Attack("window", 'return closed(open(target + "/status"))', _get("/status"), "SecurityError"),
    Attack(
        "window without an opener",
        'open(target + "/status", "_blank", "noopener,noreferrer"); return "opened"',
        _get("/status"),
        "opened",
    ),
    Attack(
        "EventSource",
        "return new Promise(resolve => { new EventSource(chat).onerror = () => resolve('error') })",
        _get(CHAT, "forbidden_origin"),
        "error",
    ),
    *(
        Attack(
            f"WebSocket to {path}",
            f"""return new Promise(resolve => {{
              const socket = new WebSocket(target.replace("http", "ws") + "{path}");
              socket.onopen = () => resolve("open");
              socket.onclose = event => resolve(event.code);
            }})""",
            _get(path, "forbidden_origin"),
            1006,
        )
        for path in (CHAT, "/")
    ),
)
