// The web page in a real browser: camera, upload, attack panel, languages, keyboard, a phone's screen, and nothing
// loaded from elsewhere. Run by run.sh.
"use strict";
const assert = require("assert");
const path = require("path");
const {chromium} = require("playwright-core");

const [address, work, shots, executablePath] = process.argv.slice(2);
const people = path.join(work, "people.jpg"), happy = path.join(work, "happy.png");
const tests = [];
const test = (name, run) => tests.push({name, run});
const text = (page, id) => page.locator("#" + id).innerText();
const shot = (page, name) => page.screenshot({path: path.join(shots, name + ".png"), fullPage: true});

// Playwright's own waitForFunction evaluates strings, which the page's content policy forbids.
async function until(page, condition, argument) {
  const end = Date.now() + 20000;
  while (!(await page.evaluate(condition, argument))) {
    assert(Date.now() < end, "waited in vain for " + condition);
    await page.waitForTimeout(50);
  }
}

async function upload(page, file) {
  await page.click("#choose-file");
  await page.setInputFiles("#file-input", file);
  await page.waitForSelector("#faces li");
}

test("an uploaded picture shows every face with emoji and bars", async (page) => {
  await upload(page, people);
  assert.equal(await page.locator("#faces li").count(), 2);
  assert.equal(await page.locator("#faces li").first().locator("progress").count(), 7);
  assert.match(await page.locator("#faces h3").first().innerText(), /^1 .*Happy [0-9.]+ %$/);
  await shot(page, "upload");
});

test("continue asks for the next picture, change mode goes back to the start", async (page) => {
  await upload(page, happy);
  await page.click("#continue");
  assert(await page.isVisible("#file"));
  assert.equal(await page.locator("#faces li").count(), 0);
  await page.setInputFiles("#file-input", people);
  await page.waitForSelector("#faces li");
  await page.click("#result .change");
  assert(await page.isVisible("#choose"));
});

test("the camera's picture is analysed, then live", async (page) => {
  await page.click("#choose-camera");
  await until(page, () => document.getElementById("video").videoWidth > 0);
  await page.click("#shoot");
  await page.waitForSelector("#faces li");
  assert.equal(await page.locator("#faces li").count(), 2);
  await shot(page, "camera");
  await page.click("#continue");
  await page.check("#live");
  await page.waitForSelector("#faces li");
  const first = await text(page, "faces");
  await until(page, (before) => document.getElementById("faces").innerText !== before, first);
  await shot(page, "live");
  await page.uncheck("#live");
});

test("the attack panel turns the verdict", async (page) => {
  await upload(page, happy);
  assert.equal(await page.inputValue("#target"), "any-to-Sad");
  await page.click("#attack");
  await page.waitForSelector("#attack-result");
  assert.match(await text(page, "attack-before-text"), /Happy/);
  assert.match(await text(page, "attack-after-text"), /Sad/);
  assert.match(await text(page, "attack-verdict"), /fooled.*Linf [1-8]\/255/);
  await shot(page, "attack");
  await page.selectOption("#target", "any-to-Happy");
  await page.click("#attack");
  await until(page, () => /already/.test(document.getElementById("attack-verdict").innerText));
});

test("French says everything in French", async (page) => {
  await page.click("#language");
  await upload(page, happy);
  assert.match(await page.locator("#faces h3").first().innerText(), /Heureux/);
  assert.match(await page.locator("#result-title").innerText(), /Résultat/);
  assert.equal(await page.getAttribute("html", "lang"), "fr");
  await shot(page, "french");
});

test("a file that is no picture is explained", async (page) => {
  await page.click("#choose-file");
  await page.setInputFiles("#file-input", {name: "x.png", mimeType: "image/png", buffer: Buffer.from("no picture")});
  await until(page, () => document.getElementById("message").innerText.length > 0);
});

test("the keyboard is enough", async (page) => {
  await page.focus("#choose-camera");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "choose-file");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "file-input");
  await page.setInputFiles("#file-input", happy);
  await page.waitForSelector("#faces li");
  assert.equal(await page.evaluate(() => document.activeElement.id), "continue");
});

test("a phone's screen holds the page without scrolling sideways", async (page) => {
  await page.setViewportSize({width: 360, height: 740});
  await upload(page, people);
  assert(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
  await shot(page, "phone");
});

(async () => {
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
           "--use-file-for-fake-video-capture=" + path.join(work, "people.mjpeg")],
  });
  let failed = 0;
  for (const {name, run} of tests) {
    const context = await browser.newContext({permissions: ["camera"], locale: "en-GB"});
    const page = await context.newPage();
    page.setDefaultTimeout(20000);
    const strangers = [], errors = [];
    page.on("request", (request) => { if (!/^(blob:|data:)/.test(request.url()) && !request.url().startsWith(address)) strangers.push(request.url()); });
    page.on("pageerror", (error) => errors.push(String(error)));
    try {
      await page.goto(address);
      await until(page, () => document.getElementById("target").options.length === 8);
      await run(page);
      assert.deepEqual(strangers, []);
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
  console.log((tests.length - failed) + " of " + tests.length + " passed");
  process.exit(failed > 0 ? 1 : 0);
})();
