// The web page in a real browser: samples, files, drop, paste, camera, the attack with all that it shows, downloads,
// languages, colours, keyboard, screen readers, a phone's screen, and nothing loaded from elsewhere. Run by run.sh.
"use strict";
const assert = require("assert");
const fs = require("fs");
const path = require("path");
const axe = require("axe-core");
const {chromium} = require("playwright-core");

const [address, guarded, work, shots, executablePath] = process.argv.slice(2);
const people = path.join(work, "people.jpg"), happy = path.join(work, "happy.png"), sad = path.join(work, "sad.png");
const patience = 60000;
const tests = [];
const test = (name, run, options = {}) => tests.push({name, run, options});
const text = (page, id) => page.locator("#" + id).innerText();
const shot = (page, name) => page.screenshot({path: path.join(shots, name + ".png"), fullPage: true});

// Playwright's own waitForFunction evaluates strings, which the page's content policy forbids.
async function until(page, condition, argument) {
  const end = Date.now() + patience;
  while (!(await page.evaluate(condition, argument))) {
    assert(Date.now() < end, "waited in vain for " + condition);
    await page.waitForTimeout(50);
  }
}

async function upload(page, files) {
  await page.setInputFiles("#file-input", files);
  await page.waitForSelector("#results table");
}

async function openSample(page, name) {
  await page.getByRole("button", {name, exact: true}).click();
  await page.waitForSelector("#results table");
}

async function attack(page) {
  await page.click("#attack");
  await until(page, () => document.getElementById("outcomes").children.length > 0 && document.getElementById("busy").hidden);
}

const smallestKnown = (page) => until(page, () => /\d+\/255/.test(document.getElementById("smallest-text").innerText));
const pixels = (page, id) => page.evaluate((which) => document.getElementById(which).toDataURL(), id);

async function save(page, id) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#" + id)]);
  return {name: download.suggestedFilename(), bytes: fs.readFileSync(await download.path())};
}

// Faults that axe finds, as lines.
async function faults(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => axe.run(document, {resultTypes: ["violations"]}));
  assert(found.passes.some((each) => each.id === "color-contrast"), "axe did not look at colours");
  return found.violations.filter((each) => ["serious", "critical"].includes(each.impact))
      .map((each) => each.id + ": " + each.nodes.map((node) => node.html.slice(0, 120)).join(" | "));
}

async function fits(page) {
  assert(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "the page scrolls sideways");
}

test("the page says in two sentences what it is for, and offers two faces of each emotion", async (page) => {
  assert.equal((await page.locator(".lead").innerText()).split(/\.(?:\s|$)/).filter(Boolean).length, 2);
  assert.equal(await page.locator("#samples button").count(), 14);
  await shot(page, "empty");
});

test("a click on a sample shows what every network sees of it", async (page) => {
  await openSample(page, "Happy, drawn face 1");
  assert.equal(await page.locator("#cards .bars-card").count(), 2);
  assert.equal(await page.locator("#cards tbody tr").count(), 14);
  assert.match(await text(page, "verdict-before"), /Happy/);
  assert.match(await text(page, "verdict-after"), /Not perturbed yet/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "work-title");
  await shot(page, "sample");
});

test("the smallest eps that suffices is marked, suffices, and one level less does not", async (page) => {
  await openSample(page, "Happy, drawn face 1");
  await smallestKnown(page);
  const levels = Number((await text(page, "smallest-text")).match(/(\d+)\/255/)[1]);
  assert(await page.isVisible("#smallest-mark"));
  await page.click("#use-smallest");
  await until(page, () => document.getElementById("outcomes").children.length > 0);
  assert.equal(Number(await page.inputValue("#eps")), levels);
  assert.match(await text(page, "outcomes"), /standard is fooled/);
  await page.focus("#eps");
  await page.keyboard.press("ArrowLeft");
  await until(page, () => /holds at this eps/.test(document.getElementById("outcomes").innerText));
});

test("an attack shows both verdicts of both networks, the change, and the numbers", async (page) => {
  await openSample(page, "Happy, drawn face 1");
  await attack(page);
  assert.match(await text(page, "verdict-before"), /Happy\s+[0-9.]+\s%/);
  assert.match(await text(page, "verdict-after"), /Sad\s+[0-9.]+\s%/);
  assert.match(await text(page, "outcomes"), /standard is fooled[^]*robust is not fooled/);
  for (const card of await page.locator("#cards .bars-card").all()) {
    assert.equal(await card.locator(".fill").count(), 14);
    assert.equal(await card.locator("td.best").count(), 2);
  }
  assert.match(await text(page, "tiles"), /[1-8]\/255[^]*[0-9.]+ dB[^]*passed/);
  await smallestKnown(page);
  assert.match(await text(page, "tiles"), /Smallest eps that suffices\s+[1-8]\/255/);
  assert.match(await page.getAttribute("#wipe", "aria-label"), /Happy [0-9.]+\s% before, Sad [0-9.]+\s% after/);
  await shot(page, "attack");
});

test("the wipe goes from the perturbed face to the original, by slider, mouse and keyboard", async (page) => {
  await openSample(page, "Happy, drawn face 1");
  await attack(page);
  const seen = new Set();
  for (const place of [0, 50, 100]) {
    await page.fill("#wipe-place", String(place));
    seen.add(await pixels(page, "wipe-real"));
  }
  assert.equal(seen.size, 3);
  const box = await page.locator("#wipe").boundingBox();
  await page.mouse.click(box.x + box.width / 4, box.y + box.height / 2);
  assert.equal(await page.inputValue("#wipe-place"), "25");
  await page.focus("#wipe-place");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.inputValue("#wipe-place"), "26");
  assert.deepEqual(await page.evaluate(() => [document.getElementById("wipe-real").width, document.getElementById("wipe-real").getBoundingClientRect().width]), [48, 48]);
});

test("the perturbation is amplified as the slider says", async (page) => {
  await openSample(page, "Happy, drawn face 1");
  await attack(page);
  await page.fill("#factor", "1");
  const faint = await pixels(page, "delta");
  await page.fill("#factor", "40");
  assert.notEqual(await pixels(page, "delta"), faint);
  assert.match(await page.getAttribute("#delta", "aria-label"), /amplified 40 times; the largest change is [1-8] of 255 levels/);
});

test("original, adversarial picture and result are saved under names that say what they hold", async (page) => {
  await openSample(page, "Happy, drawn face 1");
  await attack(page);
  const original = await save(page, "save-original"), adversarial = await save(page, "save-adversarial"), result = await save(page, "save-json");
  assert.equal(adversarial.name, "fercli-any-to-sad-standard-pgd-eps8.png");
  assert.equal(original.name, "fercli-any-to-sad-standard-pgd-eps8-original.png");
  assert.equal(result.name, "fercli-any-to-sad-standard-pgd-eps8.json");
  const read = async (bytes) => (await (await fetch(address + "predict", {method: "POST", headers: {"Content-Type": "image/png"}, body: bytes})).json()).predictions[0].label;
  assert.equal(await read(original.bytes), "Happy");
  assert.equal(await read(adversarial.bytes), "Sad");
  const record = JSON.parse(result.bytes);
  assert.equal(record.images.adversarial, adversarial.name);
  assert.equal(record.confidence_unit, "share");
});

test("another network, method, source or target is another attack, at once", async (page) => {
  await openSample(page, "Happy, drawn face 1");
  await attack(page);
  await page.selectOption("#model", "robust");
  await until(page, () => /robust (holds at this eps|is fooled)/.test(document.getElementById("outcomes").innerText));
  await page.selectOption("#model", "standard");
  await page.selectOption("#target", "Happy");
  await until(page, () => /standard sees Happy already/.test(document.getElementById("outcomes").innerText));
  assert(await page.isHidden("#downloads"));
  await page.selectOption("#target", "Fear");
  await page.selectOption("#source", "Angry");
  await until(page, () => /does not see Angry here/.test(document.getElementById("outcomes").innerText));
  await page.selectOption("#source", "Happy");
  await until(page, () => /standard is fooled/.test(document.getElementById("outcomes").innerText));
  assert.match(await text(page, "file-name"), /happy-to-fear/);
  await page.click("summary");
  await page.selectOption("#method-name", "fgsm");
  await until(page, () => /fgsm/.test(document.getElementById("file-name").innerText) || /holds/.test(document.getElementById("outcomes").innerText));
  assert(await page.isDisabled("#steps"));
});

test("of several files every picture and every face can be picked", async (page) => {
  let requests = 0;
  page.on("request", (request) => { requests += request.url().endsWith("/predict"); });
  await upload(page, [people, sad]);
  assert.equal(requests, 2, "one request for each picture, however many its faces and the networks");
  assert.equal(await page.locator("#pictures button").count(), 2);
  assert.equal(await page.locator("#faces button").count(), 2);
  await shot(page, "people");
  const other = await page.locator("#faces button[aria-pressed=false]").getAttribute("aria-label");
  await page.locator("#faces button[aria-pressed=false]").click();
  assert.equal(await page.locator("#faces button[aria-pressed=true]").getAttribute("aria-label"), other);
  const chosen = Number(other.match(/Face (\d)/)[1]);
  const [response] = await Promise.all([page.waitForResponse(/\/attack$/), page.click("#attack")]);
  assert.equal((await response.json()).face, chosen);
  await until(page, () => document.getElementById("outcomes").children.length > 0);
  const box = await page.locator("#picture").boundingBox();
  await page.mouse.click(box.x + box.width * (chosen === 1 ? 0.75 : 0.28), box.y + box.height * 0.65);
  await until(page, (label) => document.querySelector("#faces button[aria-pressed=true]").getAttribute("aria-label") !== label, other);
  await page.locator("#pictures button").nth(1).click();
  assert.match(await text(page, "verdict-before"), /Sad/);
  assert.equal(await page.inputValue("#target"), "Happy");
});

test("labels of faces close together cover neither each other nor a face", async (page) => {
  const [labels, boxes] = await page.evaluate(async () => {
    const {drawBoxes} = await import("/pictures.js");
    const labels = [], context = {canvas: {width: 760, height: 400}, measureText: () => ({width: 100}), strokeRect() {}, fillText() {},
                                  fillRect: (...place) => labels.push(place)};
    const faces = [0, 1, 2, 3, 4, 5, 6].map((i) => ({box: {x: 20 + 70 * i, y: 200, w: 60, h: 60}}));
    drawBoxes(context, faces, 0, 1, () => "2  Surprise");
    return [labels, faces.map(({box}) => [box.x, box.y, box.w, box.h])];
  });
  assert.equal(labels.length, 7);
  const apart = (a, b) => a[0] + a[2] <= b[0] || b[0] + b[2] <= a[0] || a[1] + a[3] <= b[1] || b[1] + b[3] <= a[1];
  labels.forEach((label, i) => assert([...labels.slice(i + 1), ...boxes].every((other) => apart(label, other)), "label " + i));
});

test("a picture that is dropped or pasted is read", async (page) => {
  const bytes = Array.from(fs.readFileSync(happy));
  for (const kind of ["drop", "paste"]) {
    await page.evaluate(([event, data]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(data)], "face.png", {type: "image/png"}));
      const init = {bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer};
      document.body.dispatchEvent(event === "drop" ? new DragEvent("drop", init) : new ClipboardEvent("paste", init));
    }, [kind, bytes]);
    await page.waitForSelector("#results table");
    assert.match(await text(page, "verdict-before"), /Happy/);
    await page.click("#change");
    assert(await page.isVisible("#choose"));
  }
});

test("what was shown and answered is shown as a conversation, until the mode changes", async (page) => {
  const messages = () => page.locator("#chat li").allInnerTexts();
  await upload(page, [happy]);
  assert.deepEqual((await messages()).map((text) => text.replace(/[\d.]+/, "N")), ["What do you see?", "standard: I see Happy, N\u00a0%."]);
  await attack(page);
  await until(page, () => document.querySelectorAll("#chat li").length === 4);
  assert.match((await messages())[3], /standard: now I see Sad, .* The change has fooled me\./);
  await page.selectOption("#target", "Angry");
  await until(page, () => !/Sad/.test(document.getElementById("chat").innerText));
  assert.equal((await messages()).length, 4, "the answer to another attack on the same face takes the place of the first");
  assert.equal(await page.locator("#chat .mine canvas").count(), 2);
  await page.click("#language");
  assert.match((await messages())[1], /^standard\u00a0: je vois Heureux, /);
  await page.click("#language");
  await page.click("#change");
  assert.equal((await messages()).length, 0);
});

test("continue goes to the next face, change mode back to the start", async (page) => {
  await openSample(page, "Happy, drawn face 1");
  await page.click("#continue");
  await until(page, () => document.getElementById("verdict-before").innerText.includes("Happy") && document.getElementById("busy").hidden);
  await page.click("#continue");
  await until(page, () => document.getElementById("verdict-before").innerText.includes("Sad"));
  await page.click("#change");
  assert(await page.isVisible("#samples"));
  await upload(page, happy);
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click("#continue")]);
  assert(chooser.isMultiple());
});

test("a photograph of 48 megapixels is made smaller in the browser, and attacked", async (page) => {
  await page.evaluate(async (data) => {
    const own = window.fetch;
    window.fetch = (place, options) => {
      if (place === "predict") window.sent = options.body.get("file");
      return own(place, options);
    };
    const small = await createImageBitmap(new Blob([Uint8Array.from(data)]));
    const canvas = document.createElement("canvas");
    canvas.width = 8000;
    canvas.height = 6000;
    canvas.getContext("2d").drawImage(small, 0, 0, 8000, 6000);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
    const transfer = new DataTransfer();
    transfer.items.add(new File([blob], "photograph.jpg", {type: "image/jpeg"}));
    document.body.dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: transfer}));
  }, Array.from(fs.readFileSync(people)));
  await page.waitForSelector("#results table");
  const [width, height, bytes] = await page.evaluate(async () => {
    const bitmap = await createImageBitmap(window.sent);
    return [bitmap.width, bitmap.height, window.sent.size];
  });
  assert(width * height <= 4e6 && width / height > 1.32 && width / height < 1.34, width + "x" + height);
  assert(bytes < 6 << 20);
  assert.equal(await page.locator("#faces button").count(), 2);
  await attack(page);
});

test("a picture too large for this server is sent smaller", async (page) => {
  let refused = 0;
  await page.route("**/predict", (route) => (++refused === 1 ? route.fulfill({status: 413, json: {error: "too large"}}) : route.continue()));
  await upload(page, people);
  assert.equal(refused, 2);
  assert.equal(await page.locator("#faces button").count(), 2);
});

test("what is no picture, has no face or is not answered is explained", async (page) => {
  await page.setInputFiles("#file-input", {name: "x.png", mimeType: "image/png", buffer: Buffer.from("no picture")});
  await until(page, () => /x\.png: this browser cannot read it/.test(document.getElementById("message").innerText));
  assert(await page.isVisible("#choose"));
  await shot(page, "error");
  await page.setInputFiles("#file-input", path.join(work, "wall.png"));
  await until(page, () => /No face was found in wall\.png/.test(document.getElementById("message").innerText));
  assert(await page.isDisabled("#attack"));
  await page.setInputFiles("#file-input", happy);
  await page.waitForSelector("#results table");
  assert.equal(await text(page, "message"), "");
  await page.route("**/attack", (route) => route.abort());
  await page.click("#attack");
  await until(page, () => /the server does not answer/.test(document.getElementById("message").innerText));
  assert(await page.isHidden("#busy"));
});

test("while an attack runs the page says so", async (page) => {
  await openSample(page, "Happy, drawn face 1");
  await page.route("**/attack", async (route) => { await new Promise((resolve) => setTimeout(resolve, 1500)); route.continue(); });
  await page.click("#attack");
  assert.match(await text(page, "busy"), /Perturbing/);
  await shot(page, "running");
  await until(page, () => document.getElementById("busy").hidden);
});

test("a picture of the camera is taken, and continue opens the camera again", async (page) => {
  await page.click("#choose-camera");
  await until(page, () => document.getElementById("video").videoWidth > 0);
  await page.click("#shoot");
  await page.waitForSelector("#results table");
  assert.equal(await page.locator("#faces button").count(), 2);
  await page.click("#continue");
  await until(page, () => document.getElementById("video").videoWidth > 0 && !document.getElementById("camera").hidden);
});

test("the camera is read live, announced at most once a second", async (page) => {
  await page.click("#choose-camera");
  await until(page, () => document.getElementById("video").videoWidth > 0);
  await page.evaluate(() => {
    window.times = [];
    new MutationObserver(() => window.times.push(performance.now())).observe(document.getElementById("announce"), {childList: true});
  });
  await page.check("#live");
  await page.waitForSelector("#results table");
  const first = await text(page, "cards");
  await until(page, (before) => document.getElementById("cards").innerText !== before, first);
  await until(page, () => window.times.length >= 3);
  const times = await page.evaluate(() => window.times);
  for (let i = 1; i < times.length; ++i) assert(times[i] - times[i - 1] > 900, times.join(" "));
  assert.match(await page.getAttribute("#camera-overlay", "aria-label"), /Camera picture: /);
  await shot(page, "live");
  await page.uncheck("#live");
});

test("the camera is attacked live", async (page) => {
  await page.click("#choose-camera");
  await until(page, () => document.getElementById("video").videoWidth > 0);
  await page.check("#live-attack");
  await until(page, () => /standard is fooled/.test(document.getElementById("outcomes").innerText));
  assert(await page.isVisible("#compare"));
  assert(await page.isHidden("#downloads"));
  await shot(page, "live-attack");
});

test("French says everything in French, with French numbers", async (page) => {
  assert.equal(await page.getAttribute("html", "lang"), "fr");
  await openSample(page, "Heureux, visage dessiné 1");
  await attack(page);
  assert.match(await text(page, "verdict-before"), /Heureux\s+[0-9]+,[0-9]\u202f%/);
  assert.match(await text(page, "outcomes"), /standard est trompé/);
  for (const word of ["Original", "Perturbé", "Largest", "Download", "attacked"]) {
    assert.equal((await page.locator("main").innerText()).includes(word), ["Original", "Perturbé"].includes(word), word);
  }
  await shot(page, "french");
  await page.click("#language");
  assert.match(await text(page, "outcomes"), /standard is fooled/);
  assert.equal(await page.getAttribute("html", "lang"), "en");
}, {locale: "fr-FR"});

test("in French, what the server refuses is said in French", async (page) => {
  await openSample(page, "Heureux, visage dessiné 1");
  let status = 503;
  await page.route("**/attack", (route) => route.fulfill({status, json: {error: "the server is busy, try again"}}));
  await page.click("#attack");
  await until(page, () => /le serveur est occupé/.test(document.getElementById("message").innerText));
  status = 418;
  await page.click("#attack");
  await until(page, () => /le serveur refuse \(code 418\)/.test(document.getElementById("message").innerText));
}, {locale: "fr-FR"});

test("light and dark follow the system until they are chosen, which is remembered", async (page) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.click("#theme");
  const light = await ground();
  assert.notEqual(light, dark);
  await page.reload();
  assert.equal(await ground(), light);
}, {colorScheme: "dark"});

test("a camera that is allowed after another mode was chosen stays off", async (page) => {
  await page.evaluate(() => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      await new Promise((resolve) => { window.allow = resolve; });
      window.given = await real(wanted);
      return window.given;
    };
  });
  await page.click("#choose-camera");
  await page.click("#change");
  await page.evaluate(() => window.allow());
  await until(page, () => Boolean(window.given) && window.given.getTracks().every((track) => track.readyState === "ended"));
  assert.equal(await text(page, "message"), "");
});

test("pictures that are still being read do not take the place of what is chosen meanwhile", async (page) => {
  let letGo, held = new Promise((resolve) => { letGo = resolve; });
  await page.route("**/predict", async (route) => {
    const wait = held;
    held = null;
    await wait;
    await route.continue();
  });
  await Promise.all([page.waitForRequest("**/predict"), page.setInputFiles("#file-input", [sad])]);
  await openSample(page, "Happy, drawn face 1");
  await Promise.all([page.waitForResponse("**/predict"), letGo()]);
  await page.waitForTimeout(300);
  assert.equal(await text(page, "work-title"), "Sample face");
  assert.match(await text(page, "verdict-before"), /Happy/);
  assert(await page.isHidden("#busy"));
});

test("a browser that keeps nothing shows the pages all the same", async (page) => {
  await page.addInitScript(() => {
    for (const area of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(window, area, {get() { throw new DOMException("denied", "SecurityError"); }});
    }
  });
  await page.goto(guarded);
  await page.waitForSelector("#token-form:not([hidden])");
  assert.equal(await text(page, "message"), "");
  await page.fill("#token", "open sesame");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#samples button");
  const before = await page.evaluate(() => document.documentElement.dataset.theme);
  await page.click("#theme");
  assert.notEqual(await page.evaluate(() => document.documentElement.dataset.theme), before);
  await page.goto(address + "docs");
  await page.waitForSelector("#schemas table");
});

test("the keyboard is enough for an attack", async (page) => {
  await page.focus("#language");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#results table");
  const visited = [];
  for (let i = 0; i < 30 && !visited.includes("attack"); ++i) {
    await page.keyboard.press("Tab");
    visited.push(await page.evaluate(() => document.activeElement.id));
  }
  for (const id of ["continue", "change", "source", "target", "model", "eps", "attack"]) assert(visited.includes(id), id + " of " + visited);
  await page.keyboard.press("Enter");
  await until(page, () => document.getElementById("outcomes").children.length > 0);
});

for (const width of [360, 1280]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const locale of ["en-GB", "fr-FR"]) {
      const language = locale.slice(0, 2), name = width + "-" + colorScheme + "-" + language;
      test("axe finds no serious fault and nothing sticks out: " + name, async (page) => {
        await fits(page);
        assert.deepEqual(await faults(page), []);
        await shot(page, name + "-empty");
        await page.locator("#samples button").nth(6).click();
        await page.waitForSelector("#results table");
        await attack(page);
        await page.click("summary");
        await fits(page);
        assert.deepEqual(await faults(page), []);
        await shot(page, name + "-attack");
        await page.click("#change");
        await page.click("#choose-camera");
        await until(page, () => document.getElementById("video").videoWidth > 0);
        await page.check("#live");
        await page.waitForSelector("#results table");
        await page.uncheck("#live");
        await fits(page);
        assert.deepEqual(await faults(page), []);
      }, {viewport: {width, height: 760}, colorScheme, locale});
    }
  }
}

test("the API is described on a page of its own", async (page) => {
  await page.goto(address + "docs");
  await page.waitForSelector("#schemas table");
  const words = await page.locator("main").innerText();
  for (const word of ["/attack", "/smallest", "/predict", "goal", "face", "Share", "curl -F file=@me.jpg " + address + "predict"]) assert(words.includes(word), word);
  assert.deepEqual(await faults(page), []);
  await page.setViewportSize({width: 360, height: 760});
  await fits(page);
  await shot(page, "docs");
});

test("a server with a token asks for it, and takes it out of the address", async (page) => {
  await page.goto(guarded);
  await page.waitForSelector("#token-form:not([hidden])");
  assert(await page.isHidden("#choose"));
  assert.deepEqual(await faults(page), []);
  await shot(page, "token");
  await page.fill("#token", "wrong token");
  await page.keyboard.press("Enter");
  await until(page, () => /This token is wrong/.test(document.getElementById("message").innerText));
  await page.fill("#token", "open sesame");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#samples button");
  await page.evaluate(() => sessionStorage.clear());
  await page.goto(guarded + "?token=open%20sesame");
  await page.waitForSelector("#samples button");
  assert.equal(page.url(), guarded);
});

const read = (name) => fs.readFileSync(path.join(work, name), "utf8").trim();

for (const place of ["another port", "a file"]) {
  test("a page from " + place + " may use a server that lets it in, and no other", async (page) => {
    const site = place === "a file" ? "file://" + path.join(__dirname, "elsewhere.html") : read("elsewhere") + "/";
    const say = async (query) => {
      await page.goto(site + "?" + query);
      await page.setInputFiles("#files", [happy, sad]);
      await page.click("button");
      await until(page, () => document.getElementById("answer").textContent !== "");
      return page.locator("#answer").innerText();
    };
    const shared = "server=" + encodeURIComponent(read("shared"));
    assert.equal(await say(shared + "&token=open%20sesame"), "Heureux; Triste");
    assert.match(await say(shared), /Authorization: Bearer TOKEN is missing/);
    assert.match(await say("server=" + encodeURIComponent(address)), /^refused: /);
  }, {elsewhere: true});
}

test("on a phone in French: pictures, Continuer, Changer de mode, camera, Continuer", async (page) => {
  await upload(page, [happy]);
  assert.equal(await text(page, "continue"), "Continuer\u00a0: autres images");
  await attack(page);
  assert.match(await text(page, "chat"), /Que vois-tu\u202f\?[^]*je vois Heureux[^]*Et maintenant/);
  await fits(page);
  await shot(page, "phone-file");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click("#continue")]);
  await chooser.setFiles(sad);
  await until(page, () => document.getElementById("verdict-before").innerText.includes("Triste"));
  assert.equal(await text(page, "change"), "Changer de mode");
  await page.click("#change");
  await shot(page, "phone-choose");
  await page.click("#choose-camera");
  await until(page, () => document.getElementById("video").videoWidth > 0);
  await page.click("#shoot");
  await page.waitForSelector("#results table");
  assert.equal(await page.locator("#faces button").count(), 2);
  await fits(page);
  await shot(page, "phone-camera");
  assert.equal(await text(page, "continue"), "Continuer\u00a0: caméra");
  await page.click("#continue");
  await until(page, () => !document.getElementById("camera").hidden);
}, {locale: "fr-FR", viewport: {width: 360, height: 760}, hasTouch: true, isMobile: true});

(async () => {
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
           "--use-file-for-fake-video-capture=" + path.join(work, "people.mjpeg")],
  });
  let failed = 0;
  for (const {name, run, options: {elsewhere, ...options}} of tests) {
    if (process.env.ONLY && !name.includes(process.env.ONLY)) continue;
    const context = await browser.newContext({permissions: ["camera"], locale: "en-GB", viewport: {width: 1280, height: 900}, ...options});
    const page = await context.newPage();
    page.setDefaultTimeout(patience);
    const strangers = [], errors = [];
    page.on("request", (request) => { if (!/^(blob:|data:)/.test(request.url()) && ![address, guarded].some((each) => request.url().startsWith(each))) strangers.push(request.url()); });
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => { if (/Content Security Policy/.test(message.text())) errors.push(message.text()); });
    try {
      if (!elsewhere) {
        await page.goto(address);
        await until(page, () => document.body.dataset.ready === "yes");
      }
      await run(page);
      if (!elsewhere) assert.deepEqual(strangers, []);
      assert.deepEqual(errors, []);
      console.log("ok      " + name);
    } catch (error) {
      ++failed;
      await shot(page, "failed-" + failed).catch(() => {});
      console.log("FAILED  " + name + "\n" + error);
    }
    await context.close();
  }
  await browser.close();
  console.log(failed === 0 ? "all passed" : failed + " failed");
  process.exit(failed > 0 ? 1 : 0);
})();
