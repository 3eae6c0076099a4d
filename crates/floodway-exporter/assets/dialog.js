// The dialog that asks for a yes, and for the control token if it is not known.

import { $, write } from "./dom.js";

$("dialog-form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("dialog").close("yes");
});
$("dialog-cancel").addEventListener("click", () => $("dialog").close(""));

/** Resolves to the token that was typed, which is empty unless asked for, or to null if cancelled. */
export function ask({ title, text, confirm, danger = false, token }) {
  const dialog = $("dialog");
  const input = $("dialog-token");
  write($("dialog-title"), title);
  write($("dialog-text"), text);
  write($("dialog-confirm"), confirm);
  $("dialog-confirm").classList.toggle("button-danger", danger);
  $("dialog-input").hidden = !token;
  input.required = token;
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  // A stray Enter must not confirm what lowers a protection.
  (token ? input : $("dialog-cancel")).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" ? input.value : null);
      input.value = "";
    }, { once: true });
  });
}
