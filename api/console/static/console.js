// The console, live: news become numbers in the page, or parts of it made anew. All of it works
// without this, by forms, links and reloading.
const main = document.querySelector("main[data-after]");
const announcer = document.getElementById("announce");
const mark = document.querySelector(".live");
const news = main?.dataset.news ?? "/live";
const MILESTONES = [25, 50, 75];
const AT_MOST_EVERY = 1000;
const AGAIN_AFTER = 5000;
const LOST_AFTER = 2500;
const told = new Map();
let timer, waiting, losing, busy = false, wanted = false, heard = false, begun = 0;

const grouped = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");
const shown = (id) => [...document.querySelectorAll(`[data-task="${id}"]`)];
const name = (id) => shown(id)[0]?.querySelector("th a")?.textContent ?? "This export";

function announce(id, words) {
  announcer.textContent = `${name(id)}: ${words}`;
}

// Parts made anew

async function refresh() {
  if (busy) return void (wanted = true);
  busy = true;
  begun = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.redirected || answer.status === 410) return location.reload();
    if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    else if (answer.status >= 500) again();
  } catch {
    live(false);
    again();
  } finally {
    busy = false;
    if (wanted) soon();
  }
}

// Perhaps no news come any more that would ask for them.
function again() {
  clearTimeout(waiting);
  waiting = setTimeout(soon, AGAIN_AFTER);
}

function soon() {
  wanted = true;
  if (busy) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    wanted = false;
    refresh();
  }, Math.max(0, begun + AT_MOST_EVERY - Date.now()));
}

function swap(page) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const made = page.getElementById(old.id);
    if (!made) continue;
    const focused = old.contains(document.activeElement) && document.activeElement.id;
    for (const each of old.querySelectorAll("details[open]")) {
      made.querySelector(`#${CSS.escape(each.id)}`)?.setAttribute("open", "");
    }
    for (const each of made.querySelectorAll(".silent")) {
      const id = each.closest("[data-task]").dataset.task;
      if (!document.querySelector(`[data-task="${id}"] .silent`)) announce(id, "its exporter is silent");
    }
    old.replaceWith(made);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
  live(heard);
  later();
}

// What changes by itself: a wait that ends, an exporter that says nothing.
function later() {
  const times = [...document.querySelectorAll("[data-again]")].map((each) => +each.dataset.again);
  clearTimeout(waiting);
  if (times.length) waiting = setTimeout(soon, Math.min(...times) * 1000 + 200);
}

// News

function progressed({ task, rows, total, progress }) {
  if (!document.querySelector(`[data-task="${task}"] .running`)) return soon();
  const text = total === null ? `${grouped(rows)} rows so far` : `${grouped(rows)} of ${grouped(total)} rows`;
  for (const each of shown(task)) {
    each.querySelectorAll("progress").forEach((bar) => (bar.value = progress));
    each.querySelectorAll("[data-rows]").forEach((place) => (place.textContent = text));
  }
  if (!told.has(task)) soon(); // what it exports has a name by now
  const before = told.get(task) ?? progress;
  told.set(task, progress);
  const reached = MILESTONES.findLast((each) => each <= progress);
  if (reached > before) announce(task, `${reached} percent`);
}

const WORDS = { completed: "ready", failed: "failed", evicted: "removed", released: "handed back" };

function hear({ on, shut, news, ended, out }) {
  if (ended) return location.assign(location.pathname + location.search); // the page there says why
  if (out) return location.assign(`/sign-in?ended=1&next=${encodeURIComponent(location.pathname)}`);
  if (on !== undefined) live((heard = on));
  if (shut) soon(); // perhaps nobody is signed in any more: then the page leads to where one does
  if (!news) return;
  if (news.what === "progressed" && shown(news.task).length) {
    if (!document.querySelector(`[data-task="${news.task}"] .running`)) announce(news.task, "started");
    return progressed(news);
  }
  if (WORDS[news.what] && shown(news.task).length) announce(news.task, WORDS[news.what]);
  soon();
}

// A stream that goes on at another process is away for a second: that is not told.
function live(on) {
  if (!on) return void (losing ??= setTimeout(lost, LOST_AFTER));
  clearTimeout(losing);
  losing = undefined;
  mark.dataset.on = "● Live";
}

function lost() {
  mark.dataset.on = "✖ Connection lost, trying again";
  announcer.textContent = "Connection lost, trying again";
}

// Listening

function share() {
  const at = new URL("stream.js", import.meta.url);
  const { port } = new SharedWorker(at, { name: main.dataset.stream });
  port.onmessage = ({ data }) => hear(data);
  port.postMessage({ after: +main.dataset.after, news });
  addEventListener("pagehide", () => port.postMessage({ leave: true }));
  document.querySelector(".who")?.addEventListener("submit", () => port.postMessage({ out: true }));
}

function alone() {
  let source, last = main.dataset.after;
  const listen = () => {
    source?.close();
    if (document.hidden) return;
    source = new EventSource(`${news}?after=${last}`);
    source.onopen = () => hear({ on: true });
    source.onerror = () => {
      const shut = source.readyState === EventSource.CLOSED;
      hear({ on: false, shut });
      if (shut) setTimeout(listen, AGAIN_AFTER);
    };
    source.addEventListener("ended", () => hear({ ended: true }));
    source.addEventListener("news", (event) => {
      last = event.lastEventId;
      hear({ news: JSON.parse(event.data) });
    });
  };
  document.addEventListener("visibilitychange", listen);
  listen();
}

if (main) {
  if (window.SharedWorker) share();
  else alone();
  later();
}
