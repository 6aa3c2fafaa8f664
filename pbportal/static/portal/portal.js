// What pages gain with script: copying, and menus that close. Everything works without it.
"use strict";

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = button.parentElement.querySelector("code, pre, output");
  navigator.clipboard.writeText(source.textContent.replace(/\u200b/g, "")).then(() => {
    const said = button.querySelector("[data-copied]");
    if (said) said.textContent = "Copied";
    button.classList.add("copied");
  });
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// A list whose rows are selected: a box that selects them all, and how many are; also when the list has renewed itself.
const counting = new WeakSet();

function count(form) {
  if (counting.has(form)) return;
  counting.add(form);
  const boxes = [...form.querySelectorAll("tbody input[type=checkbox][name=selected]")];
  const all = form.querySelector("[data-tick-all]");
  const said = form.querySelector("[data-ticked]");
  const every = form.querySelector("input[name=everything]");
  const bar = form.querySelector(".bar");
  const tell = () => {
    const number = boxes.filter((box) => box.checked).length;
    const everything = Boolean(every && every.checked);
    if (all) {
      all.checked = boxes.length > 0 && number === boxes.length;
      all.indeterminate = number > 0 && number < boxes.length;
    }
    // It is there only while there is something to do.
    if (bar) bar.classList.toggle("bar--off", number === 0 && !everything);
    if (said) said.textContent = everything ? "All" : `${number} ${said.dataset.ticked}`;
  };
  if (all) {
    all.hidden = boxes.length === 0;
    all.addEventListener("change", () => {
      for (const box of boxes) box.checked = all.checked;
      tell();
    });
  }
  form.addEventListener("change", tell);
  window.addEventListener("pageshow", tell);
  tell();
}

const countAll = () => document.querySelectorAll("form[data-ticks]").forEach(count);
countAll();

// A part that renews itself keeps what somebody is doing in it, and says aloud what is new.
const nameOf = (it) =>
  [it.tagName, it.id, it.name, it.value, it.getAttribute("href"), it.tagName === "SUMMARY" ? it.textContent.trim() : ""].join("|");
const saidIn = (part) => [...part.querySelectorAll("[data-said]")].map((one) => one.dataset.said);
let kept = null;

document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.target;
  if (!part || !part.id) return;
  kept = {
    id: part.id,
    focused: part.contains(document.activeElement) ? nameOf(document.activeElement) : "",
    ticked: [...part.querySelectorAll("input[type=checkbox]:checked")].map(nameOf),
    opened: [...part.querySelectorAll("details[open] > summary")].map(nameOf),
    said: saidIn(part),
  };
});

document.addEventListener("htmx:afterSettle", () => {
  const part = kept && document.getElementById(kept.id);
  if (!part) return countAll();
  for (const box of part.querySelectorAll("input[type=checkbox]")) {
    if (kept.ticked.includes(nameOf(box))) box.checked = true;
  }
  countAll();
  for (const summary of part.querySelectorAll("details > summary")) {
    if (kept.opened.includes(nameOf(summary))) summary.parentElement.open = true;
  }
  if (kept.focused && !part.contains(document.activeElement)) {
    const same = [...part.querySelectorAll("a, button, input, select, summary")].find((it) => nameOf(it) === kept.focused);
    if (same) same.focus({ preventScroll: true });
  }
  const fresh = saidIn(part).filter((text) => !kept.said.includes(text));
  const aloud = document.querySelector("[data-aloud]");
  if (aloud && fresh.length) aloud.textContent = fresh.join(". ");
  kept = null;
});
