// The page of `fercli serve`: choose a face, attack it, see what every network says before and after.
import {avatar, knownEmotion} from "./avatar.js";
import {addToChat, clearChat, showChat} from "./chat.js";
import {blobOfBase64, drawBoxes, drawDelta, drawn, drawWipe, fitted, pixelsOf, thumbnail} from "./pictures.js";
import {call, hasToken, post, setToken, takeToken} from "./server.js";
import {keep, kept} from "./storage.js";
import {texts} from "./texts.js";

const $ = (id) => document.getElementById(id);
const mostSentPixels = 4e6, mostPictures = 32, liveSteps = 8, zoomOfWipe = 7, announceEvery = 1000;

let language = navigator.language.startsWith("fr") ? "fr" : "en";
let server = null;       // what /models said
let samples = [];
let mode = "choose";     // choose | sample | file | camera | shot, a picture of the camera
let sampleIndex = 0;
let pictures = [];       // {name, blob, bitmap, answer}
let current = 0, face = 0;
let shown = null;        // {answer, before, after, blob}: the attack on the screen
let smallest = null;     // what /smallest said of the face, goal, network and method chosen
let choice = 0;          // counts what was chosen: what is still on its way for an earlier choice comes too late
let stream = null;
let lastLive = null;
let running = null, searching = null;  // AbortController of the attack and of the search for the smallest eps

// ---------------------------------------------------------------- words

// French keeps a space before some signs, where no line may end.
function withHardSpaces(text) {
  return text.replace(/ (?=[;?!%])/g, "\u202f").replace(/ (?=[:»])/g, "\u00a0").replace(/« /g, "«\u00a0");
}

function say(key, values = {}) {
  const text = texts[language][key];
  return (language === "fr" ? withHardSpaces(text) : text).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

function number(value, digits) {
  return value.toLocaleString(language, {minimumFractionDigits: digits, maximumFractionDigits: digits});
}

const percent = (value, digits = 1) => number(value, digits) + (language === "fr" ? "\u202f%" : "\u00a0%");

function emotionName(label, labels = server.models[0].labels) {
  const entry = labels.find((each) => each.name === label);
  return entry && language === "fr" ? entry.french : label;
}

const said = (key, model, verdict) => say(key, {model, emotion: emotionName(verdict.label), percent: percent(100 * verdict.confidence)});
const verdictText = (verdict) => emotionName(verdict.label) + " " + percent(100 * verdict.confidence);

function setMessage(text) {
  $("message").textContent = text;
}

// The server's sentences are English; in French the status has to do, with a sentence of this page.
function reason(error) {
  if (error.status === 0) return say("unreachable");
  if (language === "en" || !error.status) return error.message;
  return "status" + error.status in texts[language] ? say("status" + error.status) : say("statusOther", {n: error.status});
}

function showError(error) {
  if (error.name === "AbortError") return;
  if (error.status === 401) {
    $("token-form").hidden = false;
    if (!server) $("choose").hidden = true;
    setMessage(hasToken() ? say("wrongToken") : "");
    $("token").focus();
    return;
  }
  setMessage(say("failed", {why: reason(error)}));
}

// Screen readers get at most one message a second, and then the latest.
let announced = 0, pending = null;
function announce(text) {
  pending = text;
  const wait = announced + announceEvery - Date.now();
  if (announce.timer) return;
  announce.timer = setTimeout(() => {
    announce.timer = null;
    announced = Date.now();
    if ($("announce").textContent !== pending) $("announce").textContent = pending;
  }, Math.max(0, wait));
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// ---------------------------------------------------------------- language and colours

function setOptions(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

const goalModel = () => server.models.find((each) => each.model === $("model").value) || server.models[0];

function fillSelects() {
  if (!server) return;
  setOptions($("model"), server.models.map((each) => [each.model, each.model + " (" + each.arch + ")"]));
  const labels = goalModel().labels.map((each) => [each.name, emotionName(each.name, goalModel().labels)]);
  const now = face in faces() ? say("sourceNow", {emotion: emotionName(verdictsOf(faces()[face])[$("model").value].label)}) : say("anySource");
  setOptions($("source"), [["any", now], ...labels]);
  const method = server.attacks.find((each) => each.name === $("method-name").value);
  const targeted = !method || method.targeted, untargeted = !method || method.untargeted;
  setOptions($("target"), [...(targeted ? labels : []), ...(untargeted ? [["any", say("anything")]] : [])]);
  $("networks").textContent = say("servedBy", {names: server.models.map((each) => each.model).join(", ")});
}

function fillMethods() {
  setOptions($("method-name"), server.attacks.map((each) => [each.name, each.name]));
  $("method-name").value = "pgd";
  $("steps").max = server.limits.steps;
}

function showEps() {
  const levels = Number($("eps").value);
  $("eps-text").textContent = levels + "/255";
  $("eps-hint").textContent = say("epsHint", {n: levels, percent: percent(levels / 2.55, 1)});
  const method = server && server.attacks.find((each) => each.name === $("method-name").value);
  $("method-hint").textContent = method && language === "en" ? method.name + ": " + method.summary + "." : "";
  $("steps").disabled = Boolean(method) && !method.steps;
}

function applyLanguage() {
  document.documentElement.lang = language;
  document.title = "fercli – " + say("title");
  for (const each of document.querySelectorAll("[data-text]")) each.textContent = say(each.dataset.text);
  $("language").textContent = say("other");
  $("language").lang = language === "en" ? "fr" : "en";
  $("factor").setAttribute("aria-label", say("factor"));
  $("wipe-place").setAttribute("aria-label", say("wipe"));
  showTheme();
  fillSelects();
  showEps();
  showSamples();
  showChat();
  if (mode !== "choose") showWork();
}

const systemTheme = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
const theme = () => document.documentElement.dataset.theme || systemTheme();

function showTheme() {
  $("theme").textContent = say(theme() === "dark" ? "toLight" : "toDark");
}

function switchTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  keep("localStorage", "theme", next);
  showTheme();
}

// ---------------------------------------------------------------- choosing

function showSamples() {
  const seen = {__proto__: null};
  $("samples-card").hidden = server !== null && samples.length === 0;
  $("samples").replaceChildren(...samples.map((sample, index) => {
    seen[sample.label] = (seen[sample.label] || 0) + 1;
    const name = say("sampleName", {emotion: emotionName(sample.label), n: seen[sample.label]});
    const image = element("img", {src: "data:image/png;base64," + sample.image, alt: "", width: 48, height: 48});
    const button = element("button", {type: "button", className: "sample"}, image, element("span", {}, emotionName(sample.label)));
    button.setAttribute("aria-label", name);
    button.addEventListener("click", () => openSample(index));
    return element("li", {}, button);
  }));
}

function openSample(index) {
  sampleIndex = index;
  const sample = samples[index];
  open("sample", [new File([blobOfBase64(sample.image)], sample.name.split("/").pop(), {type: "image/png"})]);
}

function pickFiles() {
  $("file-input").value = "";
  $("file-input").click();
}

async function open(newMode, files) {
  const mine = ++choice;
  stopCamera();
  setMessage("");
  const notes = [], read = [];
  if (files.length > mostPictures) notes.push(say("more", {n: mostPictures}));
  for (const file of Array.from(files).slice(0, mostPictures)) {
    try {
      const picture = await readPicture(file, mine);
      if (mine !== choice) return;
      read.push(picture);
      if (picture.answer.faces_detected === 0) notes.push(say("noFace", {name: file.name}));
    } catch (error) {
      if (mine !== choice) return;
      if (error.message !== "unreadable") { setBusy(""); showError(error); return; }
      notes.push(say("cannotRead", {name: file.name}));
    }
  }
  setBusy("");
  setMessage(notes.join(" "));
  if (read.length === 0) return;
  mode = newMode;
  pictures = read;
  const first = read.findIndex((each) => each.answer.faces_detected > 0);
  choosePicture(Math.max(0, first));
  $("work-title").focus();
}

// Reads one picture with every network; one that is too large for the server is sent smaller, never refused.
async function readPicture(file, mine) {
  setBusy(say("preparing", {name: file.name}));
  for (let most = Math.min(mostSentPixels, server.limits.pixels); ; most /= 4) {
    const {blob, bitmap} = await fitted(file, most).catch(() => { throw new Error("unreadable"); });
    if (mine === choice) setBusy(say("reading", {name: file.name}));
    try {
      return {name: file.name, blob, bitmap, answer: await post("predict", blob, {model: "all", lang: language})};
    } catch (error) {
      if (error.status !== 413 || most < 1000) throw error;
    }
  }
}

function setBusy(text) {
  $("busy").hidden = text === "";
  $("busy-text").textContent = text;
  document.body.classList.toggle("waiting", text !== "");
  if (text !== "") announce(text);
}

function choosePicture(index) {
  current = index;
  const all = faces();
  face = all.reduce((best, each, i) => (each.box.w > all[best].box.w ? i : best), 0);
  chooseFace(face);
}

// ---------------------------------------------------------------- the face on the bench

function faces() {
  return pictures[current] && mode !== "camera" ? pictures[current].answer.predictions : [];
}

// With one network the answer has its verdict alone.
function verdictsOf(prediction) {
  return prediction.verdicts || {[server.models[0].model]: prediction};
}

function chooseFace(index) {
  face = index;
  forgetAttack();
  const prediction = faces()[face];
  if (prediction) {
    const label = verdictsOf(prediction)[$("model").value].label;
    $("source").value = "any";
    if ($("target").value === label || !$("target").value) {
      const others = [...$("target").options].map((option) => option.value).filter((value) => value !== label);
      $("target").value = ["Sad", "Happy"].find((name) => others.includes(name)) || others[0];
    }
    announce(say("announceRead", {model: $("model").value, emotion: emotionName(label), percent: percent(100 * prediction.confidence)}));
    const model = $("model").value, verdict = verdictsOf(prediction)[model];
    addToChat({picture: thumbnail(pictures[current].bitmap, prediction.square, 96), words: () => say("chatShow")},
              {label, words: () => said("chatRead", model, verdict)});
  }
  showWork();
  findSmallest();
}

function forgetAttack() {
  if (running) running.abort();
  shown = null;
  smallest = null;
}

function showWork() {
  if (!server) return;
  const camera = mode === "camera";
  $("choose").hidden = mode !== "choose";
  $("work").hidden = mode === "choose";
  if (mode === "choose") return;
  const kind = {sample: "Sample", file: "File", camera: "Camera", shot: "Camera"}[mode];
  $("work-title").textContent = say("work" + kind);
  $("continue").textContent = say("continue" + kind);
  $("continue").hidden = camera;
  $("still").hidden = camera;
  $("camera").hidden = $("camera-actions").hidden = !camera;
  $("attack").hidden = camera;
  $("attack").disabled = faces().length === 0;
  fillSelects();
  showFilm();
  showPicture();
  showFaces();
  showResults();
  showSmallest();
}

function showFilm() {
  $("film").hidden = mode !== "file" || pictures.length < 2;
  $("pictures").replaceChildren(...pictures.map((picture, index) => {
    const side = Math.min(picture.bitmap.width, picture.bitmap.height);
    const square = {x: (picture.bitmap.width - side) / 2, y: (picture.bitmap.height - side) / 2, w: side, h: side};
    const button = element("button", {type: "button", className: "thumb"}, thumbnail(picture.bitmap, square, 96));
    button.setAttribute("aria-label", say("pictureName", {n: index + 1, name: picture.name}));
    button.setAttribute("aria-pressed", String(index === current));
    button.addEventListener("click", () => { choosePicture(index); $("pictures").children[index].firstChild.focus(); });
    return element("li", {}, button);
  }));
}

function showPicture() {
  const picture = pictures[current];
  if (mode === "camera" || !picture) return;
  const canvas = $("picture"), wide = Math.min(1400, Math.max(picture.bitmap.width, 480)), zoom = wide / picture.bitmap.width;
  canvas.width = wide;
  canvas.height = Math.round(picture.bitmap.height * zoom);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = zoom < 3;
  context.drawImage(picture.bitmap, 0, 0, canvas.width, canvas.height);
  const whole = faces().length === 1 && picture.bitmap.width < 100;  // a crop needs no box
  if (!whole) drawBoxes(context, faces(), face, zoom, (each, i) => (i + 1) + "  " + emotionName(each.label));
  canvas.setAttribute("aria-label", say("pictureAlt", {name: picture.name, n: faces().length}));
}

function showFaces() {
  const all = faces();
  $("face-choice").hidden = all.length < 2;
  $("faces-title").textContent = all.length === 1 ? say("faceTitle") : say("facesTitle", {n: all.length});
  $("faces").replaceChildren(...all.map((each, index) => {
    const verdict = verdictsOf(each)[$("model").value];
    const button = element("button", {type: "button", className: "thumb"}, thumbnail(pictures[current].bitmap, each.square, 96),
                           element("span", {}, (index + 1) + " " + emotionName(verdict.label)));
    button.setAttribute("aria-label", say("faceName", {n: index + 1, emotion: emotionName(verdict.label), percent: percent(100 * verdict.confidence)}));
    button.setAttribute("aria-pressed", String(index === face));
    button.addEventListener("click", () => { chooseFace(index); $("faces").children[index].firstChild.focus(); });
    return element("li", {}, button);
  }));
}

// ---------------------------------------------------------------- results

// What is known of the face: {name: {original, adversarial or null}}.
function knownVerdicts() {
  if (shown) return shown.answer.verdicts;
  const prediction = mode === "camera" ? lastLive : faces()[face];
  if (!prediction) return null;
  return Object.fromEntries(Object.entries(verdictsOf(prediction)).map(([name, verdict]) => [name, {original: verdict, adversarial: null}]));
}

function showResults() {
  const verdicts = knownVerdicts();
  $("results").hidden = verdicts === null;
  if (verdicts === null) return;
  const attacked = shown ? shown.answer.model : $("model").value;
  showFlip(verdicts[attacked]);
  showOutcomes(verdicts, attacked);
  $("cards").replaceChildren(...Object.entries(verdicts).map(([name, both]) => barsCard(name, both, attacked)));
  const done = Boolean(shown) && shown.answer.attacked;
  for (const id of ["compare", "numbers", "downloads"]) $(id).hidden = !done;
  if (!done) return;
  showCompare();
  showNumbers();
  if (mode !== "camera") showDownloads();
  $("downloads").hidden = mode === "camera";
}

function sideOf(verdict, title) {
  return [element("span", {className: "when"}, title), avatar(verdict.label),
          element("strong", {}, emotionName(verdict.label)), element("span", {className: "sure"}, percent(100 * verdict.confidence))];
}

function showFlip({original, adversarial}) {
  $("verdict-before").replaceChildren(...sideOf(original, say("before")));
  if (adversarial && shown.answer.attacked) {
    $("verdict-after").replaceChildren(...sideOf(adversarial, say("after")));
  } else {
    $("verdict-after").replaceChildren(element("span", {className: "when"}, say("after")), element("span", {className: "empty"}, say("nothingYet")));
  }
}

function outcomeOf(name, both, attacked) {
  if (!shown) return null;
  const answer = shown.answer;
  if (!answer.attacked) return name === attacked ? [notAttackedText(answer, both), "calm"] : null;
  if (name === attacked) return answer.success ? [say("fooled", {model: name}), "good"] : [say("missed", {model: name}), "calm"];
  if (both.original.label === both.adversarial.label) return [say("holds", {model: name}), "calm"];
  return [say("mistaken", {model: name, emotion: emotionName(both.adversarial.label)}), "good"];
}

function notAttackedText(answer, both) {
  const source = answer.goal.split("-to-")[0];
  const wanted = server.models[0].labels.find((each) => each.name.toLowerCase() === source);
  return wanted && wanted.name !== both.original.label ? say("notSource", {model: answer.model, emotion: emotionName(wanted.name)})
      : say("already", {model: answer.model, emotion: emotionName(both.original.label)});
}

function showOutcomes(verdicts, attacked) {
  const lines = Object.entries(verdicts).map(([name, both]) => outcomeOf(name, both, attacked)).filter(Boolean);
  $("outcomes").replaceChildren(...lines.map(([text, kind]) => element("li", {className: "outcome " + kind}, text)));
}

function bar(value, label) {
  const track = element("span", {className: "track"}), fill = element("span", {className: "fill fill-" + knownEmotion(label)});
  fill.style.width = Math.max(0.5, value) + "%";
  track.append(fill);
  return [track, element("span", {className: "value"}, number(value, 1))];
}

// Seven bars before and after, side by side. The table says the same to screen readers.
function barsCard(name, {original, adversarial}, attacked) {
  const labels = (server.models.find((each) => each.model === name) || server.models[0]).labels;
  const after = adversarial && shown.answer.attacked ? adversarial : null;
  const value = (verdict, entry) => {
    const found = Object.entries(verdict.probabilities).find(([key]) => key === entry.name || key === entry.french);
    return found ? 100 * found[1] : 0;
  };
  const cell = (verdict, entry) => element("td", {className: verdict && verdict.label === entry.name ? "best" : ""},
                                           ...(verdict ? bar(value(verdict, entry), entry.name) : [element("span", {className: "none"}, say("barsNone"))]));
  const head = (text, scope) => element("th", {scope}, text);
  const rows = labels.map((entry) => element("tr", {}, head(emotionName(entry.name, labels), "row"), cell(original, entry), cell(after, entry)));
  const table = element("table", {className: "bars"},
      element("thead", {}, element("tr", {}, head(say("barsEmotion"), "col"), head(say("before") + " (%)", "col"), head(say("after") + " (%)", "col"))),
      element("tbody", {}, ...rows));
  const tag = element("span", {className: "tag"}, say(name === attacked ? "attackedTag" : "transferTag"));
  const title = element("h2", {}, say("barsTitle", {model: name}));
  return element("div", {className: "card bars-card"}, element("div", {className: "between"}, title, ...(shown ? [tag] : [])), table);
}

function showCompare() {
  const {answer, before, after} = shown;
  const share = Number($("wipe-place").value) / 100, factor = Number($("factor").value);
  drawWipe($("wipe"), before, after, share, Math.max(1, Math.round(zoomOfWipe * 48 / before.width)));
  drawWipe($("wipe-real"), before, after, share, 1);
  const words = say("wipeAlt", {percent: percent(100 * share, 0), before: verdictText(answer.original), after: verdictText(answer.adversarial)});
  $("wipe").setAttribute("aria-label", words);
  $("wipe-real").setAttribute("aria-label", words + " (" + say("realSize") + ")");
  $("wipe-place").setAttribute("aria-valuetext", say("after") + " " + percent(100 * share, 0));
  drawDelta($("delta"), before, after, factor);
  $("delta").setAttribute("aria-label", say("deltaAlt", {n: factor, levels: answer.norms.linf_255}));
  $("factor-text").textContent = "× " + factor;
}

function tile(title, value, meaning, kind = "") {
  return element("div", {className: "tile " + kind}, element("dt", {}, title),
                 element("dd", {}, element("span", {className: "figure"}, value), element("span", {className: "hint"}, meaning)));
}

function showNumbers() {
  const {answer} = shown, passed = answer.success;
  const psnr = answer.norms.psnr === null ? say("same") : number(answer.norms.psnr, 1) + " dB";
  const none = searching ? "…" : say(smallest ? "noneFound" : "notKnown");
  const least = smallest && smallest.smallest_255 !== null ? smallest.smallest_255 + "/255" : none;
  $("tiles").replaceChildren(
      tile(say("linf"), answer.norms.linf_255 + "/255", say("linfMeaning", {n: Math.round(answer.eps * 255) + "/255"})),
      tile(say("psnr"), psnr, say("psnrMeaning")),
      tile(say("bits"), say(passed ? "bitsPassed" : "bitsFailed"), say(passed ? "bitsMeaningPassed" : "bitsMeaningFailed"), passed ? "good" : ""),
      ...(mode === "camera" ? [] : [tile(say("smallest"), least, say("smallestMeaning", {attack: answer.attack}))]));
}

// A name that says what is in the file, and works on every system.
function fileName(answer) {
  const plain = (text) => text.replace(/[^A-Za-z0-9.-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "");
  const result = answer.success ? "" : "-not-reached";
  return ["fercli", plain(answer.goal), plain(answer.model), plain(answer.attack), "eps" + Math.round(answer.eps * 255)].join("-") + result;
}

function showDownloads() {
  const {answer} = shown, name = fileName(answer);
  const record = Object.assign({}, answer, {images: {original: name + "-original.png", adversarial: name + ".png"}, smallest});
  const files = {original: [blobOfBase64(answer.images.original), "-original.png"], adversarial: [blobOfBase64(answer.images.adversarial), ".png"],
                 json: [new Blob([JSON.stringify(record, null, 2) + "\n"], {type: "application/json"}), ".json"]};
  for (const [kind, [blob, ending]] of Object.entries(files)) {
    const link = $("save-" + kind);
    if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(blob);
    link.download = name + ending;
  }
  $("file-name").textContent = name + ".png";
}

// ---------------------------------------------------------------- attacking

function orderFields() {
  const source = $("source").value, target = $("target").value;
  const goal = source === "any" && target === "any" ? "untargeted" : source + "-to-" + target;
  const fields = {model: $("model").value, goal, attack: $("method-name").value, lang: language};
  if (!$("steps").disabled) fields.steps = $("steps").value;
  if (mode !== "camera") fields.face = face + 1;
  return fields;
}

// False where it is no longer wanted by the time that its pictures are read.
async function keepShown(answer, isWanted) {
  const [before, after] = await Promise.all([answer.images.original, answer.images.adversarial].map((png) => pixelsOf(blobOfBase64(png))));
  if (!isWanted()) return false;
  if (!shown) $("factor").value = Math.max(1, Math.min(64, Math.round(answer.images.perturbation_factor / 2)));
  shown = {answer, before, after};
  return true;
}

async function faceOf(png) {
  const bitmap = await createImageBitmap(blobOfBase64(png));
  return drawn(bitmap, bitmap.width, bitmap.height);
}

async function showAttack(answer, bringIntoView) {
  const attacked = faces()[face];
  showResults();
  if (bringIntoView) $("verdict").scrollIntoView({block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"});
  announce(say("announceVerdict", {model: answer.model, before: verdictText(answer.original), after: verdictText(answer.adversarial)})
           + " " + Array.from($("outcomes").children, (each) => each.textContent).join(". "));
  const picture = await faceOf(answer.images.adversarial);
  if (attacked !== faces()[face]) return;
  addToChat({picture, words: () => say("chatNow")},
            {label: answer.adversarial.label, words: () => said(answer.success ? "chatFooled" : "chatHolds", answer.model, answer.adversarial)}, attacked);
}

async function attack(bringIntoView = false) {
  if (faces().length === 0) return;
  if (running) running.abort();
  const mine = running = new AbortController();
  setMessage("");
  setBusy(say("perturbing"));
  try {
    const answer = await post("attack", pictures[current].blob, Object.assign(orderFields(), {eps: $("eps").value + "/255"}), mine.signal);
    if (await keepShown(answer, () => !mine.signal.aborted)) await showAttack(answer, bringIntoView);
  } catch (error) {
    showError(error);
  }
  if (running !== mine) return;
  running = null;
  setBusy("");
}

// What was chosen has changed: an attack that is shown is repeated.
function orderChanged() {
  fillSelects();
  showEps();
  smallest = null;
  if (mode === "camera") return;
  if (shown) attack();
  else showResults();
  showFaces();
  findSmallest();
}

async function findSmallest() {
  if (searching) searching.abort();
  searching = null;
  showSmallest();
  const prediction = faces()[face];
  if (!prediction || mode === "camera") return;
  const mine = searching = new AbortController();
  showSmallest();
  try {
    const answer = await post("smallest", pictures[current].blob, orderFields(), mine.signal);
    if (searching !== mine) return;
    smallest = answer;
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 401) showError(error);
  }
  if (searching === mine) searching = null;
  showSmallest();
  if (shown && shown.answer.attacked) { showNumbers(); showDownloads(); }
}

function showSmallest() {
  const most = Number($("eps").max), levels = smallest && smallest.attacked ? smallest.smallest_255 : null;
  const onSlider = levels !== null && levels <= most && levels >= 1;
  $("smallest-mark").hidden = $("use-smallest").hidden = !onSlider;
  if (onSlider) $("smallest-mark").style.setProperty("--place", (levels - 1) / (most - 1));
  let text = "";
  if (searching) text = say("smallestBusy");
  else if (smallest && smallest.attacked && levels === null) text = say("smallestNone", {n: Math.round(smallest.searched_to * 255)});
  else if (levels !== null) text = say(onSlider ? "smallestFound" : "smallestBeyond", {n: levels});
  $("smallest-text").textContent = text;
}

// ---------------------------------------------------------------- camera

function stopCamera() {
  $("live").checked = $("live-attack").checked = false;
  if (stream) for (const track of stream.getTracks()) track.stop();
  stream = null;
  lastLive = null;
}

async function openCamera() {
  const mine = ++choice;
  mode = "camera";
  pictures = [];
  setMessage("");
  setBusy("");
  forgetAttack();
  if (searching) searching.abort();
  searching = null;
  showWork();
  $("shoot").focus();
  const overlay = $("camera-overlay");
  overlay.getContext("2d").clearRect(0, 0, overlay.width, overlay.height);
  if (stream) return;
  try {
    if (!navigator.mediaDevices) throw new Error(say("noSecure"));
    const opened = await navigator.mediaDevices.getUserMedia({video: {facingMode: "user"}, audio: false});
    if (mine !== choice) {  // allowed too late
      for (const track of opened.getTracks()) track.stop();
      return;
    }
    $("video").srcObject = stream = opened;
    await $("video").play();
  } catch (error) {
    if (mine === choice) setMessage(say("noCamera", {why: error.message}));
  }
}

function grab(most, quality) {
  const video = $("video"), scale = Math.min(1, most / video.videoWidth);
  const canvas = drawn(video, Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale));
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality)).then((blob) => ({blob, scale}));
}

async function shoot() {
  if (!stream || $("video").videoWidth === 0) return;
  const {blob} = await grab(1920, 0.95);
  const files = [new File([blob], say("camera").replace(/[^A-Za-z]/g, "-") + ".jpg", {type: "image/jpeg"})];
  await open("shot", files);
}

async function liveFrame() {
  const {blob, scale} = await grab(960, 0.85);
  const attacking = $("live-attack").checked;
  const order = orderFields();
  if (attacking && "steps" in order) order.steps = Math.min(liveSteps, Number(order.steps));
  const answer = attacking ? await post("attack", blob, Object.assign(order, {eps: $("eps").value + "/255"}))
                           : await post("predict", blob, {model: "all", lang: language});
  const isWanted = () => mode === "camera" && (attacking ? $("live-attack").checked : $("live").checked);
  if (!isWanted()) return;
  const found = attacking ? [Object.assign({}, answer.original, {box: answer.box, changed: answer.attacked ? answer.adversarial : null})] : answer.predictions;
  if (attacking && !(await keepShown(answer, isWanted))) return;
  if (!attacking) { shown = null; lastLive = found.reduce((best, each) => (!best || each.box.w > best.box.w ? each : best), null); }
  showLive(found, 1 / scale);
}

function showLive(found, zoom) {
  const overlay = $("camera-overlay"), video = $("video");
  overlay.width = video.videoWidth;
  overlay.height = video.videoHeight;
  const words = (each) => verdictText(each) + (each.changed ? "  →  " + verdictText(each.changed) : "");
  drawBoxes(overlay.getContext("2d"), found, 0, zoom, words);
  const what = found.length === 0 ? say("nobody") : found.map(words).join("; ");
  overlay.setAttribute("aria-label", say("liveAlt", {what}));
  announce(what);
  showResults();
}

// One request after the other: never more than one frame is on its way.
async function liveLoop() {
  if (liveLoop.on) return;
  liveLoop.on = true;
  while (mode === "camera" && stream && ($("live").checked || $("live-attack").checked)) {
    if ($("video").videoWidth === 0) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      continue;
    }
    try {
      await liveFrame();
      setMessage("");
    } catch (error) {
      if (error.status === 422) { showLive([], 1); await new Promise((resolve) => setTimeout(resolve, 200)); continue; }
      if (error.status === 503 || error.status === 429) { await new Promise((resolve) => setTimeout(resolve, 1000)); continue; }
      showError(error);
      $("live").checked = $("live-attack").checked = false;
    }
  }
  liveLoop.on = false;
}

// ---------------------------------------------------------------- events

function changeMode() {
  ++choice;
  stopCamera();
  setBusy("");
  forgetAttack();
  if (searching) searching.abort();
  searching = null;
  mode = "choose";
  pictures = [];
  clearChat();
  setMessage("");
  showWork();
  ($("samples-card").hidden ? $("main") : $("samples-title")).focus();
}

function next() {
  if (mode === "sample") openSample((sampleIndex + 1) % samples.length);
  else if (mode === "file") pickFiles();
  else openCamera();
}

function takeFiles(list) {
  const files = Array.from(list).filter((file) => file.type.startsWith("image/") || file.type === "");
  if (files.length === 0) setMessage(say("noPicture"));
  else open("file", files);
}

function listenToFiles() {
  const holds = (event) => event.dataTransfer && Array.from(event.dataTransfer.types).includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!holds(event)) return;
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dragging"); });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dragging");
    if (!holds(event)) return;
    event.preventDefault();
    takeFiles(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length > 0) takeFiles(event.clipboardData.files);
  });
  $("file-input").addEventListener("change", () => { if ($("file-input").files.length > 0) takeFiles($("file-input").files); });
}

function listenToPictures() {
  const wipeTo = (event) => {
    const place = event.currentTarget.getBoundingClientRect();
    $("wipe-place").value = Math.round(100 * (event.clientX - place.left) / place.width);
    showCompare();
  };
  for (const id of ["wipe", "wipe-real"]) {
    $(id).addEventListener("pointerdown", (event) => { event.currentTarget.setPointerCapture(event.pointerId); wipeTo(event); });
    $(id).addEventListener("pointermove", (event) => { if (event.buttons > 0) wipeTo(event); });
  }
  for (const id of ["wipe-place", "factor"]) $(id).addEventListener("input", showCompare);
  $("picture").addEventListener("click", (event) => {
    const place = $("picture").getBoundingClientRect(), zoom = pictures[current].bitmap.width / place.width;
    const x = (event.clientX - place.left) * zoom, y = (event.clientY - place.top) * zoom;
    const hit = faces().findIndex(({box}) => x >= box.x && x <= box.x + box.w && y >= box.y && y <= box.y + box.h);
    if (hit >= 0 && hit !== face) chooseFace(hit);
  });
}

function listen() {
  listenToFiles();
  listenToPictures();
  $("choose-file").addEventListener("click", pickFiles);
  $("choose-camera").addEventListener("click", openCamera);
  $("continue").addEventListener("click", next);
  $("change").addEventListener("click", changeMode);
  $("shoot").addEventListener("click", shoot);
  $("live").addEventListener("change", liveLoop);
  $("live-attack").addEventListener("change", liveLoop);
  $("attack-form").addEventListener("submit", (event) => { event.preventDefault(); attack(true); });
  for (const id of ["source", "target", "model", "method-name", "steps"]) $(id).addEventListener("change", orderChanged);
  $("eps").addEventListener("input", showEps);
  $("eps").addEventListener("change", () => { if (shown && mode !== "camera") attack(); });
  $("use-smallest").addEventListener("click", () => { $("eps").value = smallest.smallest_255; showEps(); attack(true); });
  $("theme").addEventListener("click", switchTheme);
  $("language").addEventListener("click", () => { language = language === "en" ? "fr" : "en"; applyLanguage(); });
  $("token-form").addEventListener("submit", (event) => { event.preventDefault(); setToken($("token").value); start(); });
}

async function start() {
  try {
    server = await call("models");
    $("token-form").hidden = true;
    $("choose").hidden = mode !== "choose";
    setMessage("");
    fillMethods();
    fillSelects();
    $("target").value = server.models[0].classes.includes("Sad") ? "Sad" : $("target").options[0].value;
    samples = (await call("samples")).samples;
    applyLanguage();
    document.body.dataset.ready = "yes";
  } catch (error) {
    showError(error);
  }
}

takeToken();
if (kept("localStorage", "theme")) document.documentElement.dataset.theme = kept("localStorage", "theme");
$("brand-face").append(avatar("Happy"));
applyLanguage();
listen();
start();
