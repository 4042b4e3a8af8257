// What the pages do besides plain HTML: dialogs, keys, refreshing lists. Everything works without it.

const $ = (selector, root = document) => root.querySelector(selector);
const dialog = $("#dialog");

// --- dialogs: a link's page is put into the dialog by htmx, then shown -------------------------------------------
document.addEventListener("htmx:after:swap", (event) => {
  const target = event.detail?.ctx?.target ?? event.target;
  if (target?.id === "dialog-slot" && $("#panel", target)) {
    if (!dialog.open) dialog.showModal();
    ($("[data-problems]", dialog) ?? $("input:not([type=hidden]), select, textarea", dialog))?.focus();
  } else if ($("[data-problems]", dialog)) {
    $("[data-problems]", dialog).focus();
  }
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]") && dialog.open && dialog.contains(event.target)) {
    event.preventDefault();
    dialog.close();
  }
  if (event.target === dialog) dialog.close();
  if (event.target.closest("[data-menu]")) {
    event.preventDefault();
    $("#rail").classList.toggle("open");
  }
});
dialog?.addEventListener("close", () => $("#dialog-slot").replaceChildren());

// --- requests that fail: a session that ended leads to the sign-in page, everything else is said on the page --------
function warn(text) {
  const notice = document.createElement("div");
  notice.className = "notice tone-red";
  notice.setAttribute("role", "alert");
  notice.textContent = text;
  (dialog.open ? $(".dialog-body", dialog) : $("#main"))?.prepend(notice);
}
document.addEventListener("htmx:before:swap", (event) => {
  const answer = event.detail?.ctx?.response;
  if (!answer) return;
  const away = answer.raw?.redirected && new URL(answer.raw.url).pathname === "/sign-in";
  if (away || [401, 403, 404, 405, 413, 500, 502, 503, 504].includes(answer.status)) {
    event.preventDefault();
    if (away || answer.status === 401) location.reload();
    else warn(document.body.dataset[answer.status >= 502 ? "lost" : "failed"]);
  }
});
document.addEventListener("htmx:error", (event) => {
  if (event.detail?.ctx?.request?.method !== "GET") warn(document.body.dataset.lost);
});

// --- errors: after a refused form the summary has the focus ------------------------------------------------------
$("main [data-problems]")?.focus();

// --- keys ----------------------------------------------------------------------------------------------------------
const typing = (element) => element.closest("input, textarea, select, [contenteditable]");
let prefix = "";

function rows() {
  const listed = [...document.querySelectorAll("[data-rows] tbody tr")];
  return listed.length ? listed : [...document.querySelectorAll("[data-step]")];
}
// what is marked stays marked, and what was opened or closed stays so, when a list is drawn anew
let current = "";
const opened = new Map();
document.addEventListener("click", (event) => {
  const details = event.target.closest("summary")?.parentElement;
  if (details?.id) opened.set(details.id, !details.open);
});
document.addEventListener("htmx:after:swap", () => {
  for (const [id, open] of opened) {
    const details = document.getElementById(id);
    if (details) details.open = open;
  }
  if (current && !$("[aria-selected=true]")) document.getElementById(current)?.setAttribute("aria-selected", "true");
});
const marked = () => $("[data-step][aria-selected=true]");
function press(selector) {
  const place = marked();
  const details = place && $("details", place);
  if (details) {
    details.open = true;
    opened.set(details.id, true);
  }
  $(selector, place ?? document.createElement("i"))?.click();
}
function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.getAttribute("aria-selected") === "true" || row.contains(document.activeElement));
  const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by))];
  all.forEach((row) => row.removeAttribute("aria-selected"));
  next.setAttribute("aria-selected", "true");
  current = next.id;
  $("summary, a", next)?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}
const goes = { q: "/queue", m: "/queue?owner=me", r: "/reviews" };
const keys = {
  "/": () => ($("#q") ?? $("#search"))?.focus(),
  j: () => step(1),
  k: () => step(-1),
  n: () => location.assign("/incidents/new"),
  c: () => $("[data-note]")?.focus(),
  x: () => press(".tick [value=done]"),
  r: () => press("[data-run]"),
  s: () => { press("none"); $("input[name=note]", marked() ?? document.createElement("i"))?.focus(); },
  "?": () => $("#keys")?.showModal(),
  g: () => { prefix = "g"; setTimeout(() => { prefix = ""; }, 1200); },
};
for (let n = 1; n <= 9; n += 1) keys[n] = () => press(`.branches button:nth-of-type(${n})`);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
  if (prefix === "g" && goes[event.key]) {
    prefix = "";
    event.preventDefault();
    location.assign(goes[event.key]);
  } else if (Object.hasOwn(keys, event.key)) {
    event.preventDefault();
    keys[event.key]();
  }
});

// --- filters are sent when a selection changes ---------------------------------------------------------------------
document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-filters]");
  if (form && event.target.matches("select")) form.requestSubmit();
});

// --- lists refresh themselves while somebody looks and is not in the middle of something ---------------------------
function refresh() {
  const live = $("#live[data-refresh]");
  if (!live || document.hidden || dialog.open || live.contains(document.activeElement)) return;
  const marked = $("[aria-selected=true]", live)?.id;
  htmx.ajax("GET", location.href, { target: "#live", select: "#live", swap: "outerMorph" }).then(() => {
    if (marked) document.getElementById(marked)?.setAttribute("aria-selected", "true");
  });
}
const every = Number($("#live[data-refresh]")?.dataset.refresh);
if (every) setInterval(refresh, every * 1000);

// --- the playbooks of a ticket follow their checks: asked often while one runs, seldom otherwise; 204 changes nothing --
function follow() {
  const live = $("[data-live]");
  const pause = Number(live?.dataset.every);
  if (!pause) return;
  setTimeout(async () => {
    const now = $("[data-live]");
    const busy = document.hidden || dialog.open || (now?.contains(document.activeElement) && typing(document.activeElement));
    if (now && !busy) {
      for (const details of now.querySelectorAll("details[id][open]")) opened.set(details.id, true); // somebody may read it
      await htmx.ajax("GET", now.dataset.live, { target: "[data-live]", swap: "outerMorph" }).catch(() => {});
    }
    follow();
  }, pause * 1000);
}
follow();

// --- a long text is not lost by closing the tab --------------------------------------------------------------------
let dirty = false;
document.addEventListener("input", (event) => { if (event.target.closest("form[data-guard]")) dirty = true; });
document.addEventListener("submit", () => { dirty = false; });
addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });

// --- the address stays clean: what was said once is not said again on reload --------------------------------------
const here = new URL(location.href);
if (here.searchParams.has("said")) {
  here.searchParams.delete("said");
  history.replaceState(history.state, "", here);
}
