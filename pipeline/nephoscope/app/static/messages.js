// Messages to the user: errors, announcements for screen readers, and progress.

import { find } from "./elements.js";

let announceLater = null;
let errorSource = null; // what caused the shown error

export function showBusy(busy) {
  find("viewer").setAttribute("aria-busy", String(busy));
}

/** Share of the upload; null hides the bar. */
export function showProgress(share) {
  find("progress").hidden = share === null;
  // After the upload the networks run, for an unknown time.
  if (share === null || share >= 1) find("progress").removeAttribute("value");
  else find("progress").value = share;
}

/** Announce a text, or after `delay` ms the text that `describe()` returns, unless another one comes first. */
export function announce(text) {
  clearTimeout(announceLater);
  find("status").textContent = text;
}

export function announceAfter(delay, describe) {
  clearTimeout(announceLater);
  announceLater = setTimeout(() => announce(describe()), delay);
}

/** With `retry`, the message has a button that calls it. */
export function showError(message, retry = null, source = null) {
  errorSource = source;
  find("error").hidden = false;
  find("error").querySelector("p").textContent = message;
  find("retry").hidden = !retry;
  find("retry").onclick = () => {
    hideError();
    retry();
  };
}

/** With a source, hides only an error of the same source. */
export function hideError(source = null) {
  if (source && source !== errorSource) return;
  find("error").hidden = true;
}

export function isErrorShown() {
  return !find("error").hidden;
}
