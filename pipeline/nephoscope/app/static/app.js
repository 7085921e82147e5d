// The page: which image is open, which rules are current, and what to update when either changes.

import { Curves } from "./curves.js";
import { find, make, percent } from "./elements.js";
import { Holdout } from "./holdout.js";
import { latest } from "./latest.js";
import { announce, announceAfter, hideError, isErrorShown, showBusy, showError, showProgress } from "./messages.js";
import { Patterns } from "./patterns.js";
import { fetchJson, fetchResponse, upload } from "./requests.js";
import { RulePanel } from "./rule.js";
import { Viewer } from "./viewer.js";

const RUN_PREFIX = "run:";
const MEGABYTE = 1_000_000;
const UPLOAD_ATTEMPTS = 5; // while the server is busy
const BUSY_DELAY = 250; // ms; a faster response needs no busy state
const QUIET = 600; // ms without a change before results are announced

const setup = await loadState();
const viewer = new Viewer(setup.classes);
const patterns = new Patterns(setup.classes, { onToggle: (index, visible) => viewer.toggle(index, visible), onSelect: select });
const rule = new RulePanel(setup, { onChange: ruleChanged, onSelect: select });
const curves = setup.has_run ? new Curves(await fetchJson("/api/run/curves"), setup.classes) : null;
const holdout = setup.has_run ? new Holdout(setup.classes, (imageId) => open(RUN_PREFIX + imageId)) : null;
let pictures = setup.pictures; // of this visitor, oldest first
let shown = null; // the open picture, as the server describes it
let decision = null; // the latest one about the open picture
let openCount = 0; // detects that another picture was opened during a request

const decide = latest(async (signal) => {
  const picture = shown;
  if (!picture) return;
  const timer = setTimeout(() => showBusy(true), BUSY_DELAY);
  try {
    const response = await fetchJson(`${pathOf(picture.id)}/masks`, { method: "POST", json: { rules: rule.current }, signal });
    if (picture !== shown) return;
    decision = response;
    viewer.showMasks(decision);
    patterns.show(decision, picture);
    rule.showScores(decision);
    curves?.show(decision, rule.selected, rule.current);
    hideError(decide);
    announceAfter(QUIET, () => describe(picture, response));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    showError(error.message, () => decide(), decide);
  } finally {
    clearTimeout(timer);
    showBusy(false);
  }
});

const heat = latest(async (signal) => {
  const { class_name: name } = setup.classes[rule.selected];
  find("heat-class").textContent = name;
  if (!shown?.has_heat || !find("show-heat").checked) return viewer.showHeat(null);
  const picture = shown;
  try {
    const response = await fetchResponse(`${pathOf(picture.id)}/heat/${encodeURIComponent(name)}`, { signal });
    const blob = await response.blob();
    if (picture !== shown) return;
    viewer.showHeat(blob, name);
    announce(`Showing the heat map of the classifier for ${name}`);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    find("show-heat").checked = false;
    showError(error.message, error.unreachable ? () => heat() : null);
  }
});

start();

async function loadState() {
  try {
    return await fetchJson("/api/state");
  } catch (error) {
    showError(error.message, () => location.reload());
    throw error;
  }
}

function start() {
  find("megabytes").textContent = setup.max_megabytes;
  const linked = new URLSearchParams(location.hash.slice(1));
  if (linked.has("rule")) rule.fromLink(linked.get("rule"));
  listPictures();
  select(0);
  const first = linked.get("picture") ?? pictures.at(-1)?.id;
  if (first) open(first);
  document.documentElement.dataset.ready = "";
}

function pathOf(id) {
  return `/api/pictures/${encodeURIComponent(id)}`;
}

function isOfRun(id) {
  return id.startsWith(RUN_PREFIX);
}

/** Select a class in all panels. */
function select(index) {
  rule.select(index);
  patterns.select(index);
  rule.showScores(decision);
  curves?.select(index);
  if (decision) curves?.show(decision, index, rule.current);
  heat({ now: true });
}

function ruleChanged() {
  writeLink();
  decide();
}

/** Keep the rules and the open holdout image in the address. */
function writeLink() {
  const parts = [];
  if (rule.isChanged()) parts.push(`rule=${rule.toLink()}`);
  if (shown && isOfRun(shown.id)) parts.push(`picture=${encodeURIComponent(shown.id)}`);
  history.replaceState(null, "", parts.length ? `#${parts.join("&")}` : location.pathname);
}

async function open(id) {
  const count = (openCount += 1);
  showBusy(true);
  try {
    const picture = await fetchJson(pathOf(id));
    if (count !== openCount) return;
    shown = picture;
    decision = null;
    viewer.showPicture(picture, `${pathOf(id)}/preview`);
    find("tools").hidden = find("downloads").hidden = false;
    find("remove").hidden = isOfRun(id);
    find("add-truth").hidden = isOfRun(id) || !picture.has_output_shape;
    find("heat-toggle").hidden = !picture.has_heat;
    find("changeable-rules").hidden = picture.has_fixed_rules;
    find("fixed-rules").hidden = !picture.has_fixed_rules;
    find("downloads").querySelector("[data-kind=geotiff]").hidden = !picture.place;
    find("downloads").querySelector("[data-kind=submission]").hidden = !picture.has_output_shape;
    listPictures();
    if (matchMedia("(max-width: 62rem)").matches) find("shown").scrollIntoView();
    holdout?.mark(isOfRun(id) ? picture.image_id : null);
    writeLink();
    decide({ now: true });
    heat({ now: true });
  } catch (error) {
    showBusy(false);
    showError(error.message, error.unreachable ? () => open(id) : null);
  }
}

async function addFiles(files) {
  const tables = files.filter((file) => file.name.toLowerCase().endsWith(".csv"));
  const problems = [];
  for (const file of files.filter((file) => !tables.includes(file))) {
    const problem = await addImage(file);
    if (problem) problems.push(problem);
  }
  // Adding the next image has hidden the error of the one before, so all errors are shown again.
  if (problems.length > 1 || (problems.length && !isErrorShown())) showError(problems.join("\n"));
  for (const table of tables) await addTruth(table);
}

/** Returns the error message, or null if the image was added. */
async function addImage(file) {
  const problem = checkSize(file);
  if (problem) {
    showError(problem);
    return problem;
  }
  const before = shown;
  showUpload(file);
  try {
    const query = new URLSearchParams({ name: file.name.slice(-200), bounds: find("bounds").value, time: find("time").value });
    const added = await retryWhileBusy(() => upload(`/api/pictures?${query}`, file, showProgress));
    pictures = (await fetchJson("/api/state")).pictures;
    hideError();
    await open(added.id);
    return null;
  } catch (error) {
    if (before) await open(before.id);
    else {
      viewer.empty();
      showBusy(false);
    }
    const message = `${file.name}: ${error.message}`;
    showError(message, error.unreachable ? () => addImage(file) : null);
    return message;
  } finally {
    showProgress(null);
  }
}

function checkSize(file) {
  if (!file.size) return `${file.name} is empty.`;
  const tooLarge = file.size > setup.max_megabytes * MEGABYTE;
  return tooLarge ? `${file.name} is larger than the limit of ${setup.max_megabytes} MB.` : null;
}

function showUpload(file) {
  shown = decision = null;
  openCount += 1;
  patterns.clear();
  viewer.showFile(file);
  find("tools").hidden = find("downloads").hidden = true;
  showProgress(0);
  showBusy(true);
  announce(`Reading ${file.name}`);
}

/** A busy server says after how many seconds to try again. */
async function retryWhileBusy(task, attempts = UPLOAD_ATTEMPTS) {
  try {
    return await task();
  } catch (error) {
    if (!error.retryAfter || attempts === 1) throw error;
    announce("The server is busy; waiting");
    await new Promise((resolve) => setTimeout(resolve, 1000 * error.retryAfter));
    return retryWhileBusy(task, attempts - 1);
  }
}

async function addTruth(file) {
  if (!shown || isOfRun(shown.id)) return showError("First open the image to which the truth in this CSV belongs.");
  const picture = shown;
  try {
    const withTruth = await fetchJson(`${pathOf(picture.id)}/truth`, { method: "PUT", body: file });
    if (shown !== picture) return;
    shown = withTruth;
    viewer.showTruth(shown.truth);
    decide({ now: true });
  } catch (error) {
    showError(`${file.name}: ${error.message}`, error.unreachable ? () => addTruth(file) : null);
  }
}

async function remove() {
  const removed = shown.id;
  try {
    await fetchResponse(pathOf(removed), { method: "DELETE" });
  } catch (error) {
    return showError(error.message, error.unreachable ? remove : null);
  }
  pictures = pictures.filter((picture) => picture.id !== removed);
  if (shown?.id !== removed) return listPictures();
  shown = decision = null;
  patterns.clear();
  listPictures();
  announce("The image is removed");
  if (pictures.length) return open(pictures.at(-1).id);
  viewer.empty();
  find("downloads").hidden = true;
  find("welcome").focus();
}

function listPictures() {
  const items = pictures.map(({ id, image_id: imageId }) => {
    const image = make("img", { src: `${pathOf(id)}/thumbnail`, alt: "" });
    const current = shown?.id === id ? "true" : null;
    return make("li", {}, make("button", { type: "button", title: imageId, "aria-label": imageId, "aria-current": current, onclick: () => open(id) }, image));
  });
  find("strip").replaceChildren(...items);
}

async function download(kind) {
  try {
    const response = await fetchResponse(`${pathOf(shown.id)}/download/${kind}`, { method: "POST", json: { rules: rule.current } });
    const name = decodeURIComponent(response.headers.get("Content-Disposition").split("''")[1]);
    const address = URL.createObjectURL(await response.blob());
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    announce(`${name} is downloaded`);
  } catch (error) {
    showError(error.message, error.unreachable ? () => download(kind) : null);
  }
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    announce(`${what} copied`);
  } catch {
    window.prompt(`Copy the ${what.toLowerCase()}:`, text); // browsers offer the clipboard only on https and localhost
  }
}

function describe(picture, decided) {
  const classes = decided.classes.map(({ class_name: name, presence, present, unsure }) =>
    `${name} ${percent(presence)}, ${present ? "present" : "absent"}${unsure ? ", unsure" : ""}`);
  return `${picture.image_id}: ${classes.join("; ")}`;
}

for (const id of ["choose", "welcome", "add-truth"]) find(id).addEventListener("click", () => find("files").click());
find("files").addEventListener("change", (event) => {
  const files = [...event.target.files];
  event.target.value = ""; // so that the same file can be chosen again
  addFiles(files);
});
find("show-heat").addEventListener("change", () => heat({ now: true }));
find("dismiss").addEventListener("click", () => hideError());
find("remove").addEventListener("click", remove);
find("copy-link").addEventListener("click", () => copy(`${location.origin}/#rule=${rule.toLink()}`, "Link"));
find("copy-json").addEventListener("click", () => copy(rule.toJson(), "Rules"));
for (const button of find("downloads").querySelectorAll("button")) button.addEventListener("click", () => download(button.dataset.kind));

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragging"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  addFiles([...event.dataTransfer.files]);
});
