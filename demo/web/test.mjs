// node test.mjs ADDRESS MODEL IMAGE OUTPUT_FOLDER [CHROMIUM]
//
// Drops the model and the image onto the page, writes what it found to detections.json, what it says
// of the model to about.txt and what it looks like to wide.png and phone.png, and how often a timer
// of the page ran while the worker detected to ticks.txt; then drops a file that is no model and
// writes the page's answer to error.txt.

import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import puppeteer from "puppeteer-core";

const [address, model, image, folder, chromium = "/usr/bin/chromium"] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});

/** Drop files onto the page as a person does. */
const drop = (page, ...paths) =>
  page.evaluate((files) => {
    const transfer = new DataTransfer();
    for (const [name, text] of files) {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      transfer.items.add(new File([bytes], name));
    }
    document.getElementById("stage").dispatchEvent(
      new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, paths.map((path) => [basename(path), readFileSync(path).toString("base64")]));

try {
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (line) => line.type() === "error" && problems.push(line.text()));
  await page.setViewport({ width: 1200, height: 900 });
  await page.evaluateOnNewDocument(() => {
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
      if (message.call === "detect") {
        window.ticks = 0;
        const timer = setInterval(() => window.ticks++);
        this.addEventListener("message", () => clearInterval(timer), { once: true });
      }
      post.call(this, message, ...rest);
    };
  });
  await page.goto(address);
  await drop(page, model);
  await page.waitForFunction(
    (name) => document.getElementById("about").textContent.startsWith(name), {}, basename(model));
  writeFileSync(`${folder}/about.txt`, await page.$eval("#about", (e) => e.textContent));
  await drop(page, image);
  await page.waitForSelector("#save[href^=blob]", { visible: true });
  writeFileSync(`${folder}/ticks.txt`, String(await page.evaluate(() => window.ticks ?? 0)));
  writeFileSync(`${folder}/detections.json`,
    await page.evaluate(async () => (await fetch(document.getElementById("save").href)).text()));
  await page.screenshot({ path: `${folder}/wide.png` });
  await page.setViewport({ width: 390, height: 780, deviceScaleFactor: 2, isMobile: true });
  await drop(page, model, image); // the page of a phone is loaded anew
  await page.waitForSelector("#save[href^=blob]", { visible: true });
  await page.screenshot({ path: `${folder}/phone.png` });
  writeFileSync(`${folder}/other.onnx`, "hello");
  await drop(page, `${folder}/other.onnx`);
  await page.waitForSelector("#error", { visible: true });
  writeFileSync(`${folder}/error.txt`, await page.$eval("#error", (e) => e.textContent));
  if (problems.length) throw new Error(problems.join("\n"));
} finally {
  await browser.close();
}
