// What the page does beyond its links and forms, all of which work without this file: files dropped anywhere, text
// pasted anywhere, sorting and filtering without a round trip, and sections that follow the server's events.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

function say(text) {
  const toast = $("#toast");
  toast.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.textContent = ""; }, 8000);
}

// Forms: a second click on a slow submission must not send it twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) { event.preventDefault(); return; }
  if (form.method === "post") {
    form.dataset.sent = "yes";
    for (const button of $$("button", form)) { if (button.dataset.busy) button.textContent = button.dataset.busy; }
  }
});
window.addEventListener("pageshow", () => { for (const form of $$("form[data-sent]")) delete form.dataset.sent; });

// Drop: the files go into the page's file input, and the form is sent as if they had been chosen.
function receiver() { return $("form[data-drop]"); }
function carries(event) { return event.dataTransfer && [...event.dataTransfer.types].some((t) => t === "Files" || t === "text/plain"); }
let depth = 0;
document.addEventListener("dragenter", (event) => {
  if (!receiver() || !carries(event)) return;
  depth += 1;
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", () => {
  depth = Math.max(0, depth - 1);
  if (depth === 0) document.body.classList.remove("dragging");
});
document.addEventListener("dragover", (event) => { if (receiver() && carries(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  const form = receiver();
  depth = 0;
  document.body.classList.remove("dragging");
  if (!form || !carries(event)) return;
  event.preventDefault();
  if (event.dataTransfer.files.length > 0) {
    $("input[type=file]", form).files = event.dataTransfer.files;
    form.requestSubmit();
  } else {
    pasted(form, event.dataTransfer.getData("text/plain"));
  }
});
function pasted(form, text) {
  const area = $("textarea", form);
  if (!text || !area) return;
  area.value = text;
  form.requestSubmit();
}
document.addEventListener("paste", (event) => {
  const form = receiver();
  if (!form || event.target.closest("input, textarea, select")) return;
  event.preventDefault();
  if (event.clipboardData.files.length > 0) {
    $("input[type=file]", form).files = event.clipboardData.files;
    form.requestSubmit();
  } else {
    pasted(form, event.clipboardData.getData("text/plain"));
  }
});
for (const input of $$("form[data-drop] input[type=file]")) {
  input.addEventListener("change", () => { if (input.files.length > 0) input.form.requestSubmit(); });
}

// Selects that only navigate.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-go]")) event.target.form.requestSubmit();
});

// Tables: the server sorts and pages; where all rows are here, they are sorted here, by the same keys.
function cellKey(row, column) {
  const cell = row.cells[column];
  return "v" in cell.dataset ? Number(cell.dataset.v === "" ? -Infinity : cell.dataset.v) : cell.textContent.trim();
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("table[data-sortable] th a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const head = link.closest("th");
  const table = head.closest("table");
  const column = head.cellIndex;
  const before = head.getAttribute("aria-sort");
  const order = before ? (before === "descending" ? "ascending" : "descending") : head.dataset.first;
  const sign = order === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows];
  const names = new Intl.Collator(undefined, { numeric: true });
  rows.sort((a, b) => {
    const [x, y] = [cellKey(a, column), cellKey(b, column)];
    return sign * (typeof x === "number" ? x - y : names.compare(x, y));
  });
  table.tBodies[0].append(...rows);
  for (const other of $$("th[aria-sort]", table)) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const url = new URL(link.href);
  url.searchParams.set("order", order === "ascending" ? "asc" : "desc");
  history.replaceState(null, "", url.pathname + url.search);
  const flipped = new URL(url);
  flipped.searchParams.set("order", order === "ascending" ? "desc" : "asc");
  link.href = flipped.pathname + flipped.search + flipped.hash;
  for (const hidden of $$("input[name=sort]")) hidden.value = url.searchParams.get("sort");
  for (const hidden of $$("input[name=order]")) hidden.value = url.searchParams.get("order");
});
document.addEventListener("input", (event) => {
  const box = event.target.closest("input[data-filter]");
  if (!box) return;
  const table = document.getElementById(box.dataset.filter);
  if (!table || !("sortable" in table.dataset)) return;
  const wanted = box.value.trim().toLowerCase();
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const hit = row.textContent.toLowerCase().includes(wanted);
    row.hidden = !hit;
    shown += hit ? 1 : 0;
  }
  const count = $("#filter-count");
  if (count) count.textContent = wanted ? `${shown} of ${table.tBodies[0].rows.length} layers` : "";
});

// A mark in a chart and its row light up together.
for (const [on, type] of [[true, "mouseover"], [false, "mouseout"]]) {
  document.addEventListener(type, (event) => {
    const link = event.target.closest && event.target.closest("svg a[href^='#']");
    const row = link && document.getElementById(link.getAttribute("href").slice(1));
    if (row) row.classList.toggle("lit", on);
  });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const url = new URL(button.dataset.copy, location.href).href;
  try {
    await navigator.clipboard.writeText(url);
    say("Link copied");
  } catch {
    window.prompt("Copy this link", url);
  }
});
for (const button of $$("button[data-copy]")) button.hidden = false;

// Live sections: an event says that something changed, the page fetches itself and replaces what is marked, except a
// section in which somebody is typing.
let pending = null;
async function refresh() {
  pending = null;
  let text;
  try {
    // What answered a form has nothing live but the foot, and no address of its own.
    const answer = await fetch($("main [data-live]") ? location.href : "/", { headers: { "x-live": "1" } });
    if (!answer.ok) return;
    text = await answer.text();
  } catch { return; }
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const section of $$("[data-live]")) {
    const other = fresh.getElementById(section.id);
    if (!other || section.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) continue;
    if (section.innerHTML === other.innerHTML) continue;
    const open = new Set($$("details[open]", section).map((d) => d.id).filter(Boolean));
    const focus = section.contains(document.activeElement) ? document.activeElement.id : "";
    section.replaceChildren(...[...other.childNodes].map((node) => document.importNode(node, true)));
    for (const details of $$("details[id]", section)) if (open.has(details.id)) details.open = true;
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    for (const button of $$("button[data-copy]", section)) button.hidden = false;
  }
}
function soon(wait) { if (!pending) pending = setTimeout(refresh, wait); }

const stream = document.body.dataset.events;
if (stream && "EventSource" in window) {
  const source = new EventSource(stream);
  let lost = false;
  const told = (event) => {
    let data = {};
    try { data = JSON.parse(event.data); } catch { /* an event without a body */ }
    if (event.type === "models") say(`New models answer for ${data.device}: the numbers are up to date`);
    if (event.type === "models_refused") say(`New models for ${data.device} were refused: ${data.reason}`);
    soon(event.type === "study" ? 500 : 100);
  };
  for (const type of document.body.dataset.eventTypes.split(" ")) source.addEventListener(type, told);
  // Nobody tells of what happened between the page's making and this moment, or while the line was down.
  source.addEventListener("open", () => { if (lost || $("main [data-live]")) soon(0); lost = false; });
  source.addEventListener("error", () => { lost = true; });
  window.addEventListener("pagehide", () => source.close());
}

// What other processes work on tells the server nothing: such a section is looked at again, while somebody looks.
const again = Math.min(...$$("[data-look-again]").map((section) => Number(section.dataset.lookAgain)));
if (Number.isFinite(again) && again > 0) setInterval(() => { if (!document.hidden) soon(0); }, again * 1000);
