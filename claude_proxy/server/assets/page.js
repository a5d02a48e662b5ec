// The page: state, live requests, usage, limits, set-up and doctor. All text from elsewhere is set as text, never as
// markup. What is not known is shown as "unknown" or as a dash, never as a zero.

"use strict";

const SESSION = "claude-proxy-session";
const MAX_ROWS = 100;
const UNKNOWN = "–";

const by = id => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const { label, ...others } = properties;
  const made = Object.assign(document.createElement(tag), others);
  if (label) made.setAttribute("aria-label", label);
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

// ------------------------------------------------------------------------------------------------ formats

const thousands = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const count = value => (value === null || value === undefined ? UNKNOWN : thousands.format(value));
const short = value => compact.format(value);
const dollars = value => (value === null || value === undefined ? "unknown" : `$${value.toFixed(value < 1 ? 4 : 2)}`);
const clock = at => new Date(at * 1000).toLocaleTimeString([], { hour12: false });
const date = at => new Date(at * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

function seconds(value) {
  if (value === null || value === undefined) return UNKNOWN;
  return value < 10 ? `${value.toFixed(2)} s` : `${Math.round(value)} s`;
}

function duration(value) {
  const whole = Math.max(0, Math.floor(value));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
}

const now = () => Date.now() / 1000;
const ago = at => (typeof at === "number" ? `${duration(now() - at)} ago` : "at an unknown time");

function cached(row) {
  const all = promptTokens(row);
  if (!all || row.cache_read_tokens === null) return UNKNOWN;
  return `${Math.round((100 * row.cache_read_tokens) / all)} %`;
}

function promptTokens(row) {
  const known = [row.input_tokens, row.cache_read_tokens, row.cache_write_tokens].filter(each => each !== null);
  return known.length ? known.reduce((one, other) => one + other, 0) : null;
}

// ------------------------------------------------------------------------------------------------- access

class NeedsCode extends Error {}

async function get(path, signal) {
  const token = sessionStorage.getItem(SESSION);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const reply = await fetch(path, { headers, cache: "no-store", credentials: "omit", redirect: "error", signal });
  if (reply.status === 401) {
    sessionStorage.removeItem(SESSION);
    throw new NeedsCode();
  }
  if (!reply.ok) {
    const body = await reply.json().catch(() => ({}));
    throw new Error(body.error?.message ?? `the server answered ${reply.status}`);
  }
  return reply;
}

// Exchange a code for a session; whether it was valid.
async function enter(code) {
  const headers = { Authorization: `Bearer ${code}` };
  const reply = await fetch("/page/session", { headers, cache: "no-store", credentials: "omit" });
  if (!reply.ok) return false;
  sessionStorage.setItem(SESSION, (await reply.json()).token);
  return true;
}

function askForCode() {
  by("content").hidden = true;
  by("login").hidden = false;
  by("code").focus();
  pill("locked", "warn");
}

by("login-form").addEventListener("submit", async event => {
  event.preventDefault();
  const valid = await enter(by("code").value).catch(() => false);
  by("login-problem").textContent = valid ? "" : "This code is not valid. `claude-proxy open` prints a new one.";
  if (valid) start();
});

// -------------------------------------------------------------------------------------------------- state

function pill(text, kind) {
  if (by("pill").textContent !== text) by("pill").textContent = text;
  by("pill").className = `pill ${kind}`;
}

const KINDS = { api_key: "API key", auth_token: "bearer token", oauth: "login" };

function credential(found) {
  if (!found?.found) return make("span", { className: found?.found === null ? "" : "bad" }, `${found?.message ?? "unknown"}${found?.hint ? `; ${found.hint}` : ""}`);
  const plan = found.subscription ? `, ${found.subscription} plan` : "";
  return `${found.source} (${KINDS[found.kind] ?? found.kind ?? "kind unknown"}${plan}) ${found.tail ?? ""}`;
}

function expiry(found) {
  if (!found?.found) return "unknown";
  if (!found.expires_at) return "no expiry is known";
  const left = found.expires_at - now();
  return left > 0 ? `in ${duration(left)} (${date(found.expires_at)})` : `expired ${duration(-left)} ago`;
}

const BACKENDS = { anthropic: "asks upstream directly", claude_cli: "the Claude CLI" };

function backend(found) {
  if (!found) return "unknown";
  const version = found.version ? ` ${found.version}` : "";
  const reason = found.reason ? `: ${found.reason}` : "";
  return `${found.answers}: ${BACKENDS[found.answers] ?? "unknown"}${version} (backend = ${found.setting})${reason}`;
}

function upstream(state) {
  if (state.upstream.simulator) return "the built-in simulator; its answers are made up";
  return state.upstream.base_url + (state.upstream.is_anthropic ? "" : " (not Anthropic's own)");
}

function message(found, kind) {
  if (!found) return "none since the start";
  return make("span", { className: kind }, `${found.message} `, make("span", { className: "quiet" }, `(${ago(found.at)})`));
}

function showState(state) {
  const stopping = state.status !== "ok";
  pill(stopping ? "stopping" : "running", stopping ? "warn" : "good");
  by("version").textContent = state.version;
  const facts = [
    ["Base URL", make("code", {}, state.base_url)],
    ["Up for", `${duration(state.uptime)} (pid ${state.pid})`],
    ["Upstream", upstream(state)],
    ["Backend", backend(state.backend)],
    ["Credential", credential(state.credential)],
    ["Expires", expiry(state.credential)],
    ["Served", `${count(state.requests)} since the start, ${count(state.open_requests)} open`],
    ["Last warning", message(state.last_warning, "warn")],
    ["Last error", message(state.last_error, "bad")],
  ];
  by("state").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  showLimits(state);
}

// ----------------------------------------------------------------------------------------------- requests

function cell(text, className = "") {
  return make("td", { className, title: className.includes("name") ? String(text) : "" }, text);
}

function cells(row, first, status, warnings) {
  const model = row.model ?? row.upstream_model;
  return [
    make("td", {}, first),
    cell(row.client, "name"),
    cell(model ?? `${row.method} ${row.path}`, "name"),
    cell(row.dialect, "wide"),
    make("td", { className: status[1] }, status[0]),
    cell(seconds(row.first_token), "number wide"),
    cell(seconds(row.duration), "number"),
    cell(count(promptTokens(row)), "number wide"),
    cell(cached(row), "number wide"),
    cell(count(row.output_tokens), "number wide"),
    cell(warnings),
  ];
}

let openRows = [];

function showOpen() {
  const unknown = { input_tokens: null, cache_read_tokens: null, cache_write_tokens: null, output_tokens: null };
  by("open-rows").replaceChildren(
    ...openRows.map(row => {
      const age = Math.max(0, now() - row.started);
      return make("tr", {}, ...cells({ ...row, ...unknown, duration: age }, clock(row.started), ["open", "warn"], ""));
    }),
  );
  by("open-count").textContent = openRows.length ? `${openRows.length} open` : "";
  noteEmpty();
}

function noteEmpty() {
  by("no-requests").hidden = by("done-rows").children.length + openRows.length > 0;
}

function statusOf(row) {
  if (row.left) return ["client left", "warn"];
  if (row.error && row.status < 400) return [`${row.status} broken off`, "bad"];
  return [String(row.status ?? "unknown"), row.status >= 400 ? "bad" : "good"];
}

function addDone(row) {
  const toggle = make("button", { type: "button", className: "toggle" }, clock(row.started));
  toggle.setAttribute("aria-expanded", "false");
  toggle.setAttribute("aria-label", `Details of the request at ${clock(row.started)} from ${row.client}`);
  const line = make("tr", {}, ...cells(row, toggle, statusOf(row), row.warnings.length ? row.warnings.join(", ") : ""));
  line.lastChild.classList.add("warn", "name");
  let details = null;
  toggle.addEventListener("click", () => {
    if (details) details.remove();
    else line.after((details = detailsOf(row)));
    const shown = toggle.getAttribute("aria-expanded") !== "true";
    if (!shown) details = null;
    toggle.setAttribute("aria-expanded", String(shown));
  });
  const body = by("done-rows");
  body.prepend(line);
  while (body.children.length > MAX_ROWS && !body.lastChild.contains(document.activeElement)) body.lastChild.remove();
  noteEmpty();
}

function detailsOf(row) {
  const facts = [
    ["Request", `${row.method} ${row.path}`],
    ["Id", row.id],
    ["Model", row.upstream_model && row.upstream_model !== row.model ? `${row.model}, answered by ${row.upstream_model}` : row.model ?? "none"],
    ["Dialect", row.dialect],
    ["Backend", row.backend ?? "not asked"],
    ["First token", seconds(row.first_token)],
    ["Tokens", `${count(row.input_tokens)} input, ${count(row.cache_read_tokens)} read from the cache, ${count(row.cache_write_tokens)} written to it, ${count(row.output_tokens)} output`],
  ];
  if (row.error) facts.push(["Error", make("span", { className: "bad" }, row.error)]);
  const list = make("dl", { className: "facts" }, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  const notes = row.notes.map(([kind, param, text]) =>
    make("li", {}, make("strong", { className: kind === "warning" ? "warn" : "" }, `${kind} `), make("code", {}, param), `: ${text}`),
  );
  const known = notes.length ? make("ul", { className: "notes", label: "Translation notes" }, ...notes) : make("p", { className: "quiet" }, "Nothing was changed in translation.");
  return make("tr", { className: "more" }, make("td", { className: "details", colSpan: 11 }, list, known));
}

// One stream of server-sent events, read by fetch: an EventSource cannot send the session's header.
async function watch() {
  const reply = await get("/page/events");
  by("done-rows").replaceChildren();
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part; !(part = await reader.read()).done; ) {
    text += part.value;
    const frames = text.split("\n\n");
    text = frames.pop();
    frames.forEach(take);
  }
}

let figuresDue = null;

function take(frame) {
  const [, event, data] = frame.match(/^event: (\w+)\ndata: (.*)$/s) ?? [];
  if (!event) return;
  const value = JSON.parse(data);
  if (event === "state") showState(value);
  if (event === "open") {
    openRows = value;
    showOpen();
  }
  if (event === "done") {
    addDone(value);
    figuresDue ??= setTimeout(showFigures, 1500);
  }
}

// -------------------------------------------------------------------------------------------------- usage

const chosenRange = () => document.querySelector("input[name=range]:checked").value;

async function showFigures() {
  clearTimeout(figuresDue);
  figuresDue = null;
  const range = chosenRange();
  let found;
  try {
    found = await (await get(`/page/figures?range=${range}`)).json();
  } catch (error) {
    found = { known: false, problem: error.message };
  }
  if (range !== chosenRange()) return;
  const plan = found.plan ? "A plan login paid: the cost is what the API would have cost at list price." : "Cost is at list price.";
  by("usage-note").textContent = found.problem ?? plan;
  by("plots").replaceChildren(...(found.known ? plots(found, range) : []));
  by("usage-tables").replaceChildren(...(found.known ? [usageTable("Model", found.by_model, found), usageTable("Client", found.by_client, found)] : []));
}

function plots(found, range) {
  const label = at => {
    const when = new Date(at * 1000);
    return range === "month" ? `${when.getMonth() + 1}/${when.getDate()}` : when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  };
  const of = value => found.points.map(point => ({ at: point.at, value: value(point) }));
  const sum = name => found.points.reduce((total, point) => total + (point[name] ?? 0), 0);
  const perMinute = found.step / 60;
  return [
    barPlot("Tokens a minute", of(point => (point.tokens === null ? null : point.tokens / perMinute)), {
      format: short, label, summary: `${count(sum("tokens"))} tokens in all`,
    }),
    barPlot("First token, median seconds", of(point => point.first_token), {
      format: value => String(Number(value.toFixed(value < 1 ? 2 : 1))), label, summary: `${found.points.filter(point => point.first_token !== null).length} intervals with answers`,
    }),
    barPlot("Errors", of(point => (point.requests ? point.errors : null)), {
      format: short, label, kind: "errors", whole: true, summary: `${count(sum("errors"))} of ${count(sum("requests"))} requests`,
    }),
  ];
}

function usageTable(title, rows, found) {
  const head = [title, "Requests", "Errors", "Input", "Cache read", "Cache write", "Output", found.plan ? "API cost" : "Cost"];
  const heads = head.map((text, index) => make("th", { scope: "col", className: index ? "number" : "" }, text));
  const body = [...rows, { ...found.total, key: "all" }].map(row =>
    make("tr", {},
      make("th", { scope: "row", className: "name", title: row.key ?? "unknown" }, row.key ?? "unknown"),
      ...[row.requests, row.errors, row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.output_tokens].map(value => cell(count(value), "number")),
      cell(dollars(row.cost_usd), "number"),
    ),
  );
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...body));
  const place = make("div", { tabIndex: 0, label: `Usage by ${title.toLowerCase()}` }, make("h3", {}, `By ${title.toLowerCase()}`), table);
  place.setAttribute("role", "region");
  return place;
}

document.querySelectorAll("input[name=range]").forEach(input => input.addEventListener("change", showFigures));

// ------------------------------------------------------------------------------------------------- limits

const WINDOWS = { "5h": "5 hours", "7d": "7 days", "7d_opus": "7 days, Opus", "7d_sonnet": "7 days, Sonnet" };
const COUNTS = { requests: "requests", tokens: "tokens", input_tokens: "input tokens", output_tokens: "output tokens" };

const resets = at => (typeof at === "number" ? (at > now() ? `in ${duration(at - now())}` : "passed") : "unknown");
const told = about => `Reported by upstream ${duration(about.age)} ago.`;

function share(part) {
  if (typeof part !== "number") return "unknown";
  return make("span", {}, gauge(part), ` ${Math.round(part * 100)} %`);
}

function limitsTable(title, note, head, rows) {
  const heads = head.map(text => make("th", { scope: "col" }, text));
  const body = rows.map(([first, ...others]) => make("tr", {}, make("th", { scope: "row", className: "name", title: first }, first), ...others.map(value => make("td", {}, value))));
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...body));
  const place = make("div", { tabIndex: 0, label: title }, make("h3", {}, title), make("p", { className: "quiet" }, note), table);
  place.setAttribute("role", "region");
  return place;
}

function planTable(plan) {
  const rows = Object.entries(plan.windows).map(([name, each]) => [WINDOWS[name] ?? name, share(each.utilization), resets(each.reset), each.status ?? "unknown"]);
  const extra = plan.extra_usage.in_use ? " Requests are billed outside the plan at present (extra usage)." : "";
  return limitsTable("Plan", told(plan) + extra, ["Window", "Used", "Resets", "Status"], rows);
}

function keyTable(key) {
  const rows = Object.entries(COUNTS).filter(([name]) => key[name]).map(([name, title]) => [title, count(key[name].limit), count(key[name].remaining), resets(key[name].reset)]);
  return limitsTable(`Rate limits of ${key.model}`, told(key), ["Of", "Limit", "Left", "Resets"], rows);
}

function budgetTable(budgets) {
  const amount = (value, unit) => (unit === "usd" ? dollars(value) : count(Math.round(value)));
  const rows = budgets.map(each => [`${each.period} (${each.unit === "usd" ? "list price" : "tokens"})`, amount(each.limit, each.unit), share(each.spent / each.limit), resets(each.resets_at)]);
  return limitsTable("Your budgets", "Set by you.", ["Budget", "Limit", "Used", "Resets"], rows);
}

let shownLimits = "";

function showLimits({ rate_limits: limits, usage }) {
  const known = JSON.stringify([limits, usage?.budgets]);
  if (known === shownLimits || by("limits").contains(document.activeElement)) return;
  shownLimits = known;
  const tables = [];
  if (limits?.plan) tables.push(planTable(limits.plan));
  if (usage?.budgets?.length) tables.push(budgetTable(usage.budgets));
  tables.push(...(limits?.keys ?? []).map(keyTable));
  if (!tables.length) tables.push(make("p", { className: "quiet" }, "Unknown: upstream has not reported any yet."));
  by("limits").replaceChildren(...tables);
}

// -------------------------------------------------------------------------------------- set-up and doctor

let recipes = [];

function showSnippet() {
  const chosen = recipes.find(recipe => recipe.name === by("client").value);
  by("snippet").textContent = chosen?.text ?? "";
  by("copied").textContent = "";
}

by("client").addEventListener("change", showSnippet);
by("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(by("snippet").textContent);
    by("copied").textContent = "copied";
  } catch {
    getSelection().selectAllChildren(by("snippet"));
    by("copied").textContent = "selected; copy it with your keyboard";
  }
});

by("run-doctor").addEventListener("click", async () => {
  by("run-doctor").disabled = true;
  by("doctor-status").textContent = "checking…";
  try {
    const checks = await (await get("/page/doctor")).json();
    by("checks").replaceChildren(...checks.map(showCheck));
    const failed = checks.filter(check => check.state === "failed").length;
    by("doctor-status").textContent = failed ? `${failed} of ${checks.length} checks failed` : `${checks.length} checks, none failed`;
  } catch (error) {
    by("doctor-status").textContent = error.message;
  }
  by("run-doctor").disabled = false;
});

function showCheck(check) {
  const kind = { ok: "good", note: "warn", failed: "bad" }[check.state];
  return make("li", {},
    make("span", { className: kind }, check.state),
    make("span", {}, check.name),
    make("span", { className: "detail" }, check.detail),
    check.hint ? make("span", { className: "hint" }, check.hint) : null,
  );
}

// -------------------------------------------------------------------------------------------------- start

const pause = time => new Promise(resolve => setTimeout(resolve, time));
let running = false;

async function start() {
  if (running) return;
  running = true;
  for (let wait = 500; ; wait = Math.min(wait * 2, 10000)) {
    try {
      const { state, setup } = await (await get("/page/data")).json();
      wait = 250;
      by("login").hidden = true;
      by("content").hidden = false;
      recipes = setup;
      const chosen = by("client").value;
      by("client").replaceChildren(...recipes.map(recipe => make("option", { value: recipe.name }, recipe.title)));
      if (recipes.some(recipe => recipe.name === chosen)) by("client").value = chosen;
      showSnippet();
      showState(state);
      showFigures();
      await watch();
    } catch (error) {
      if (error instanceof NeedsCode) {
        askForCode();
        break;
      }
    }
    openRows = [];
    showOpen();
    pill("not reachable", "bad");
    await pause(wait);
  }
  running = false;
}

setInterval(() => openRows.length && showOpen(), 1000);

// `claude-proxy open` prints an address whose fragment holds the code. A fragment is never sent to a server.
async function begin() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) {
    history.replaceState(null, "", "/");
    await enter(code).catch(() => false);
  }
  start();
}

begin();
