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

// A list whose rows are ticked: a box that ticks them all, and how many are.
for (const form of document.querySelectorAll("form[data-ticks]")) {
  const boxes = [...form.querySelectorAll("tbody input[type=checkbox][name=selected]")];
  const all = form.querySelector("[data-tick-all]");
  const said = form.querySelector("[data-ticked]");
  const every = form.querySelector("input[name=everything]");
  const tell = () => {
    const count = boxes.filter((box) => box.checked).length;
    if (all) {
      all.checked = boxes.length > 0 && count === boxes.length;
      all.indeterminate = count > 0 && count < boxes.length;
    }
    if (said) said.textContent = every && every.checked ? "All" : `${count} ${said.dataset.ticked}`;
  };
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of boxes) box.checked = all.checked;
      tell();
    });
  }
  form.addEventListener("change", tell);
  window.addEventListener("pageshow", tell);
  tell();
}
