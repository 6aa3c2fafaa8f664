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
