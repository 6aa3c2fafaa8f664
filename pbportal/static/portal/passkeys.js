// Wires the buttons that use a passkey, and says so where one is not accepted. Without script they stay hidden.
"use strict";

document.querySelectorAll("[data-passkey]").forEach((button) => {
  window.allauth.webauthn.forms[button.dataset.passkey]({ ids: JSON.parse(button.dataset.ids) });
  button.closest("form").hidden = false;
});

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const sentence = document.getElementById("passkey_error");
  if (sentence) {
    sentence.hidden = false;
  }
});
