"use strict";

const texts = {
  en: {
    choose: "Where is the face?", camera: "Camera", file: "Picture", privacy: "Pictures go to this server only and are not stored.",
    analyse: "Analyse", live: "live", change: "Change mode", pick: "Choose a JPG, PNG or WEBP picture", result: "Result",
    continue: "Continue", attack: "Change the verdict, not the face", target: "Make it", perturb: "Perturb",
    noFace: "No face found.", noCamera: "The camera cannot be used: ", original: "original", perturbation: "perturbation ×",
    adversarial: "perturbed", reached: "The network is fooled", missed: "Not reached with this eps",
    same: "The network says so already: choose another emotion.", anything: "anything else", failed: "The request failed: ",
  },
  fr: {
    choose: "Où est le visage ?", camera: "Caméra", file: "Image", privacy: "Les images ne vont qu’à ce serveur et ne sont pas gardées.",
    analyse: "Analyser", live: "en direct", change: "Changer de mode", pick: "Choisir une image JPG, PNG ou WEBP", result: "Résultat",
    continue: "Continuer", attack: "Changer le verdict, pas le visage", target: "En faire", perturb: "Perturber",
    noFace: "Aucun visage trouvé.", noCamera: "La caméra n’est pas utilisable : ", original: "original", perturbation: "perturbation ×",
    adversarial: "perturbé", reached: "Le réseau est trompé", missed: "Non atteint avec cet eps",
    same: "Le réseau le dit déjà : choisissez une autre émotion.", anything: "autre chose", failed: "La requête a échoué : ",
  },
};

const $ = (id) => document.getElementById(id);
const sections = ["choose", "camera", "file", "result"];
const token = new URLSearchParams(location.search).get("token") || sessionStorage.getItem("token") || "";
if (token) sessionStorage.setItem("token", token);

let language = navigator.language.startsWith("fr") ? "fr" : "en";
let mode = "choose";
let labels = [];
let stream = null;
let lastBlob = null;
let lastPicture = null;
let lastAnswer = null;

function say(key) {
  return texts[language][key];
}

function setMessage(text) {
  $("message").textContent = text;
}

async function call(path, options = {}) {
  const headers = Object.assign({}, options.headers, token ? {Authorization: "Bearer " + token} : {});
  const response = await fetch(path, Object.assign({}, options, {headers}));
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || response.status);
  return answer;
}

function emojiOf(label) {
  const entry = labels.find((each) => each.name === label);
  return entry ? entry.emoji : "";
}

function applyLanguage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  $("language").textContent = language === "en" ? "FR" : "EN";
  $("language").setAttribute("aria-label", language === "en" ? "Français" : "English");
  const chosen = $("target").value;
  $("target").replaceChildren(...labels.map((each) => new Option(
      each.emoji + " " + (language === "fr" ? each.french : each.name), "any-to-" + each.name)),
      new Option(say("anything"), "untargeted"));
  if (chosen) $("target").value = chosen;
}

function show(section) {
  for (const each of sections) $(each).hidden = each !== section;
  setMessage("");
}

function stopCamera() {
  $("live").checked = false;
  if (stream) for (const track of stream.getTracks()) track.stop();
  stream = null;
}

function clearResult() {
  $("faces").replaceChildren();
  $("attack-result").hidden = true;
  lastAnswer = null;
}

function changeMode() {
  stopCamera();
  clearResult();
  mode = "choose";
  show("choose");
  $("choose-camera").focus();
}

async function openCamera() {
  mode = "camera";
  clearResult();
  show("camera");
  $("shoot").focus();
  const overlay = $("camera-overlay");
  overlay.getContext("2d").clearRect(0, 0, overlay.width, overlay.height);
  if (stream) return;
  try {
    if (!navigator.mediaDevices) throw new Error("https");
    stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: "user"}, audio: false});
    $("video").srcObject = stream;
  } catch (error) {
    setMessage(say("noCamera") + error.message);
  }
}

function openFile() {
  mode = "file";
  clearResult();
  show("file");
  $("file-input").value = "";
  $("file-input").focus();
}

// `zoom`: canvas pixels per picture pixel.
function drawFaces(context, answer, zoom) {
  const scale = Math.max(0.3, context.canvas.width / 700);
  context.lineWidth = Math.max(2, scale * 2);
  context.font = "600 " + Math.round(16 * scale) + "px system-ui, sans-serif";
  for (const face of answer.predictions) {
    const [x, y, w, h] = [face.box.x, face.box.y, face.box.w, face.box.h].map((side) => side * zoom);
    const text = emojiOf(face.label) + " " + face.emotion + " " + Math.round(face.confidence) + " %";
    const width = context.measureText(text).width + 12 * scale;
    const height = 24 * scale;
    const top = y >= height ? y - height : y;
    context.strokeStyle = "#2a7de1";
    context.strokeRect(x, y, w, h);
    context.fillStyle = "#2a7de1";
    context.fillRect(x, top, width, height);
    context.fillStyle = "#fff";
    context.fillText(text, x + 6 * scale, top + 17 * scale);
  }
}

function listFaces(answer) {
  $("faces").replaceChildren(...answer.predictions.map((face, index) => {
    const item = document.createElement("li");
    const title = document.createElement("h3");
    title.textContent = (index + 1) + "  " + emojiOf(face.label) + " " + face.emotion + " " + face.confidence + " %";
    item.append(title);
    for (const [name, value] of Object.entries(face.probabilities)) {
      const row = document.createElement("div");
      row.className = "bar";
      const label = document.createElement("span");
      label.textContent = name;
      const bar = document.createElement("progress");
      bar.max = 100;
      bar.value = value;
      bar.setAttribute("aria-label", name);
      const number = document.createElement("span");
      number.textContent = value.toFixed(1) + " %";
      row.append(label, bar, number);
      item.append(row);
    }
    return item;
  }));
  setMessage(answer.faces_detected === 0 ? say("noFace") : "");
}

function predict(blob) {
  return call("predict?lang=" + language, {
    method: "POST", headers: {"Content-Type": blob.type || "application/octet-stream"}, body: blob,
  });
}

function drawResult() {
  const canvas = $("picture");
  const zoom = Math.max(1, Math.round(480 / lastPicture.width));
  canvas.width = lastPicture.width * zoom;
  canvas.height = lastPicture.height * zoom;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(lastPicture, 0, 0, canvas.width, canvas.height);
  if (lastAnswer) drawFaces(context, lastAnswer, zoom);
}

async function analyse(blob) {
  setMessage("");
  lastBlob = blob;
  try {
    lastPicture = await createImageBitmap(blob);
    lastAnswer = await predict(blob);
  } catch (error) {
    setMessage(say("failed") + error.message);
    return;
  }
  $("live").checked = false;
  show("result");
  $("attack-result").hidden = true;
  $("attack-form").hidden = lastAnswer.faces_detected === 0;
  drawResult();
  listFaces(lastAnswer);
  $("continue").focus();
}

function grab(quality) {
  const video = $("video");
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}

// One request after the other: the page never has more than one frame on its way.
async function liveLoop() {
  while ($("live").checked && mode === "camera" && stream) {
    if ($("video").videoWidth === 0) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      continue;
    }
    try {
      const answer = await predict(await grab(0.85));
      if (!$("live").checked) return;
      const overlay = $("camera-overlay");
      overlay.width = $("video").videoWidth;
      overlay.height = $("video").videoHeight;
      drawFaces(overlay.getContext("2d"), answer, 1);
      listFaces(answer);
    } catch (error) {
      setMessage(say("failed") + error.message);
      $("live").checked = false;
    }
  }
}

async function attack(event) {
  event.preventDefault();
  if (!lastBlob) return;
  const form = new FormData();
  form.append("file", lastBlob, "face");
  form.append("goal", $("target").value);
  form.append("eps", $("eps").value + "/255");
  $("attack").disabled = true;
  try {
    const answer = await call("attack?lang=" + language, {method: "POST", body: form});
    showAttack(answer);
    setMessage("");
  } catch (error) {
    setMessage(say("failed") + error.message);
  }
  $("attack").disabled = false;
}

function showAttack(answer) {
  const verdict = (side) => emojiOf(side.label) + " " + side.emotion + " " + side.confidence + " %";
  const png = (data) => "data:image/png;base64," + data;
  $("attack-before").src = png(answer.images.original);
  $("attack-delta").src = png(answer.images.perturbation);
  $("attack-after").src = png(answer.images.adversarial);
  $("attack-before-text").textContent = say("original") + ": " + verdict(answer.original);
  $("attack-delta-text").textContent = say("perturbation") + answer.images.perturbation_factor;
  $("attack-after-text").textContent = say("adversarial") + ": " + verdict(answer.adversarial);
  $("attack-verdict").textContent = !answer.attacked ? say("same")
      : (answer.success ? say("reached") : say("missed")) + " (Linf " + answer.norms.linf_255 + "/255, L2 "
        + answer.norms.l2.toFixed(2) + ")";
  $("attack-result").hidden = false;
}

$("choose-camera").addEventListener("click", openCamera);
$("choose-file").addEventListener("click", openFile);
$("continue").addEventListener("click", () => (mode === "camera" ? openCamera() : openFile()));
for (const button of document.querySelectorAll(".change")) button.addEventListener("click", changeMode);
$("shoot").addEventListener("click", async () => {
  if (stream && $("video").videoWidth > 0) analyse(await grab(0.95));
});
$("live").addEventListener("change", () => {
  if ($("live").checked) liveLoop();
});
$("file-input").addEventListener("change", () => {
  if ($("file-input").files.length > 0) analyse($("file-input").files[0]);
});
$("attack-form").addEventListener("submit", attack);
$("eps").addEventListener("input", () => { $("eps-text").textContent = $("eps").value + "/255"; });
$("language").addEventListener("click", () => {
  language = language === "en" ? "fr" : "en";
  applyLanguage();
  if (mode !== "choose" && !$("result").hidden && lastBlob) analyse(lastBlob);
});

applyLanguage();
call("labels").then((answer) => {
  labels = answer.labels;
  applyLanguage();
  const sad = labels.find((each) => each.name === "Sad");
  if (sad) $("target").value = "any-to-Sad";
}).catch((error) => setMessage(say("failed") + error.message));
call("model").then((answer) => { $("model").textContent = answer.model + " (" + answer.arch + ")"; }).catch(() => {});
