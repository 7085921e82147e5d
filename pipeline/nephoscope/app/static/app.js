// The page as a whole: what is open, what was moved, and who has to be told.

import { Curves } from "./curves.js";
import { find, make, percent } from "./elements.js";
import { Holdout } from "./holdout.js";
import { newest } from "./newest.js";
import { Patterns } from "./patterns.js";
import { RulePanel } from "./rule.js";
import { ask, askJson, send } from "./server.js";
import { Stage } from "./stage.js";

const OF_THE_RUN = "run:";
const MEGABYTE = 1_000_000;
const TRIES = 5; // of a busy server
const QUIET = 600; // ms without a change before results are read out

const setup = await begin();
const stage = new Stage(setup.classes, setup.output_shape);
const patterns = new Patterns(setup.classes, { onToggle: (index, shown) => stage.toggle(index, shown), onPick: pick });
const rule = new RulePanel(setup, { onMove: moved, onPick: pick });
const curves = setup.has_run ? new Curves(await askJson("/api/run/curves"), setup.classes) : null;
const holdout = setup.has_run ? new Holdout(setup.classes, (imageId) => open(OF_THE_RUN + imageId)) : null;
let pictures = setup.pictures; // the visitor's own, the oldest first
let shown = null; // the open picture as the server tells it
let answer = null; // what was last decided of it
let complaint = null; // what caused the one that is shown
let opening = 0; // how many times a picture was opened: the last one counts

const decide = newest(async (signal) => {
  const picture = shown;
  if (!picture) return;
  const late = setTimeout(() => busy(true), 250);
  try {
    const found = await askJson(`/api/pictures/${encodeURIComponent(picture.id)}/masks`, { method: "POST", json: { rules: rule.moved }, signal });
    if (picture !== shown) return;
    answer = found;
    stage.showMasks(answer);
    patterns.show(answer, picture);
    rule.showScores(answer);
    curves?.show(answer, rule.picked, rule.moved);
    calm(decide);
    sayResults();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    complain(error.message, () => decide(), decide);
  } finally {
    clearTimeout(late);
    busy(false);
  }
});

const heat = newest(async (signal) => {
  const { class_name: name } = setup.classes[rule.picked];
  find("heat-class").textContent = name;
  if (!shown || !find("show-heat").checked) return stage.showHeat(null);
  const picture = shown;
  try {
    const response = await ask(`/api/pictures/${encodeURIComponent(picture.id)}/heat/${encodeURIComponent(name)}`, { signal });
    const blob = await response.blob();
    if (picture !== shown) return;
    stage.showHeat(blob, name);
    say(`The heat map shows where the classifier looks for ${name}`);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    find("show-heat").checked = false;
    complain(error.message, error.unreachable ? () => heat() : null);
  }
});

start();

async function begin() {
  try {
    return await askJson("/api/state");
  } catch (error) {
    complain(error.message, () => location.reload());
    throw error;
  }
}

function start() {
  find("megabytes").textContent = setup.max_megabytes;
  const linked = new URLSearchParams(location.hash.slice(1));
  if (linked.has("rule")) rule.fromLink(linked.get("rule"));
  listPictures();
  pick(0);
  const first = linked.get("picture") ?? pictures.at(-1)?.id;
  if (first) open(first);
  document.documentElement.dataset.ready = "";
}

function pick(index) {
  rule.pick(index);
  patterns.pick(index);
  rule.showScores(answer);
  curves?.pick(index);
  if (answer) curves?.show(answer, index, rule.moved);
  heat({ now: true });
}

function moved() {
  writeLink();
  decide();
}

function writeLink() {
  const parts = [];
  if (rule.isMoved()) parts.push(`rule=${rule.toLink()}`);
  if (shown?.id.startsWith(OF_THE_RUN)) parts.push(`picture=${encodeURIComponent(shown.id)}`);
  history.replaceState(null, "", parts.length ? `#${parts.join("&")}` : location.pathname);
}

async function open(id) {
  const turn = (opening += 1);
  busy(true);
  try {
    const path = `/api/pictures/${encodeURIComponent(id)}`;
    const picture = await askJson(path);
    if (turn !== opening) return; // another one was opened meanwhile
    shown = picture;
    answer = null;
    stage.showPicture(picture, `${path}/preview`);
    find("tools").hidden = find("downloads").hidden = false;
    find("forget").hidden = find("add-truth").hidden = id.startsWith(OF_THE_RUN);
    listPictures();
    if (matchMedia("(max-width: 62rem)").matches) find("shown").scrollIntoView();
    holdout?.mark(id.startsWith(OF_THE_RUN) ? picture.image_id : null);
    writeLink();
    decide({ now: true });
    heat({ now: true });
  } catch (error) {
    busy(false);
    complain(error.message, error.unreachable ? () => open(id) : null);
  }
}

// Files that come in

async function take(files) {
  const tables = files.filter((file) => file.name.toLowerCase().endsWith(".csv"));
  const refused = [];
  for (const file of files.filter((each) => !tables.includes(each))) refused.push(...(await add(file)));
  // A picture that is taken after one that is not takes back its complaint.
  if (refused.length > 1 || (refused.length && find("trouble").hidden)) complain(refused.join("\n"));
  for (const table of tables) await compare(table);
}

/** What is to be said against the file; nothing, where it is taken. */
async function add(file) {
  const wrong = file.size > setup.max_megabytes * MEGABYTE ? `is larger than ${setup.max_megabytes} MB, the most allowed.` : file.size ? "" : "is empty.";
  if (wrong) {
    complain(`${file.name} ${wrong}`);
    return [`${file.name} ${wrong}`];
  }
  const before = shown;
  shown = answer = null;
  opening += 1;
  patterns.clear();
  stage.showFile(file);
  find("tools").hidden = find("downloads").hidden = true;
  progress(0);
  busy(true);
  say(`Reading ${file.name}`);
  try {
    const added = await patiently(() => send(`/api/pictures?name=${encodeURIComponent(file.name.slice(-200))}`, file, progress));
    pictures = (await askJson("/api/state")).pictures;
    calm();
    await open(added.id);
    return [];
  } catch (error) {
    if (before) await open(before.id);
    else {
      stage.empty();
      busy(false);
    }
    complain(`${file.name}: ${error.message}`, error.unreachable ? () => add(file) : null);
    return [`${file.name}: ${error.message}`];
  } finally {
    progress(null);
  }
}

/** A busy server says for how long to wait. */
async function patiently(task, tries = TRIES) {
  try {
    return await task();
  } catch (error) {
    if (!error.retryAfter || tries === 1) throw error;
    say("The server is busy; waiting");
    await new Promise((resolve) => setTimeout(resolve, 1000 * error.retryAfter));
    return patiently(task, tries - 1);
  }
}

async function compare(file) {
  if (!shown || shown.id.startsWith(OF_THE_RUN)) return complain("Open a picture of your own first; the CSV tells the truth about it.");
  const picture = shown;
  try {
    const told = await askJson(`/api/pictures/${picture.id}/truth`, { method: "PUT", body: file });
    if (shown !== picture) return; // another one was opened meanwhile
    shown = told;
    stage.showTruth(shown.truth);
    decide({ now: true });
  } catch (error) {
    complain(`${file.name}: ${error.message}`, error.unreachable ? () => compare(file) : null);
  }
}

async function forget() {
  const gone = shown.id;
  try {
    await ask(`/api/pictures/${gone}`, { method: "DELETE" });
  } catch (error) {
    return complain(error.message, error.unreachable ? forget : null);
  }
  pictures = pictures.filter((each) => each.id !== gone);
  if (shown?.id !== gone) return listPictures();
  shown = answer = null;
  patterns.clear();
  listPictures();
  say("The picture is forgotten");
  if (pictures.length) return open(pictures.at(-1).id);
  stage.empty();
  find("downloads").hidden = true;
  find("welcome").focus();
}

function listPictures() {
  const items = pictures.map(({ id, image_id: imageId }) => {
    const image = make("img", { src: `/api/pictures/${id}/thumbnail`, alt: "" });
    const current = shown?.id === id ? "true" : null;
    return make("li", {}, make("button", { type: "button", title: imageId, "aria-label": imageId, "aria-current": current, onclick: () => open(id) }, image));
  });
  find("strip").replaceChildren(...items);
}

async function download(kind) {
  try {
    const response = await ask(`/api/pictures/${encodeURIComponent(shown.id)}/download/${kind}`, { method: "POST", json: { rules: rule.moved } });
    const name = decodeURIComponent(response.headers.get("Content-Disposition").split("''")[1]);
    const address = URL.createObjectURL(await response.blob());
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    say(`${name} is downloaded`);
  } catch (error) {
    complain(error.message, error.unreachable ? () => download(kind) : null);
  }
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    window.prompt(`Copy the ${what.toLowerCase()}:`, text); // no clipboard without encryption, save on this machine
  }
}

// What the person is told

function busy(is) {
  find("stage").setAttribute("aria-busy", String(is));
}

function progress(share) {
  find("progress").hidden = share === null;
  // All sent: now the networks read, and nobody knows for how long.
  if (share === null || share >= 1) find("progress").removeAttribute("value");
  else find("progress").value = share;
}

function say(text) {
  clearTimeout(say.later);
  find("said").textContent = text;
}

function sayResults() {
  clearTimeout(say.later);
  say.later = setTimeout(() => {
    const told = answer.classes.map((one) => `${one.class_name} ${percent(one.presence)}, ${one.present ? "present" : "absent"}${one.unsure ? ", unsure" : ""}`);
    say(`${shown.image_id}: ${told.join("; ")}`);
  }, QUIET);
}

function complain(message, again = null, cause = null) {
  complaint = cause;
  find("trouble").hidden = false;
  find("trouble").querySelector("p").textContent = message;
  find("again").hidden = !again;
  find("again").onclick = () => {
    calm();
    again();
  };
}

/** What caused a complaint takes back its own alone; a person, or a new file, any. */
function calm(cause = null) {
  if (cause && cause !== complaint) return;
  find("trouble").hidden = true;
}

for (const id of ["choose", "welcome", "add-truth"]) find(id).addEventListener("click", () => find("files").click());
find("files").addEventListener("change", (event) => {
  const files = [...event.target.files];
  event.target.value = ""; // the same file may be chosen again
  take(files);
});
find("show-heat").addEventListener("change", () => heat({ now: true }));
find("dismiss").addEventListener("click", () => calm());
find("forget").addEventListener("click", forget);
find("copy-link").addEventListener("click", () => copy(`${location.origin}/#rule=${rule.toLink()}`, "Link"));
find("copy-json").addEventListener("click", () => copy(rule.toJson(), "Rule"));
for (const button of find("downloads").querySelectorAll("button")) button.addEventListener("click", () => download(button.dataset.kind));

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragged");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragged"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragged");
  take([...event.dataTransfer.files]);
});
