// A person in front of the dashboard. What happens outside the browser is asked of dashboard_test.sh
// by a line "do NAME", which is answered when it is done.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import * as page_tests from "./steps.mjs";

const [, , address, modules] = process.argv;
const { chromium } = await import(pathToFileURL(`${modules}/playwright-core/index.mjs`).href);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export const outside = async (name) => {
  console.log(`do ${name}`);
  const { value } = await answers.next();
  assert.equal(value, "done", `outside: ${name}`);
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"], // run as root in a namespace without a display
});
const world = {
  address,
  browser,
  outside,
  axe: readFileSync(`${modules}/axe-core/axe.min.js`, "utf8"),
  token: process.env.LAB_TOKEN.trim(),
  screenshots: process.env.FLEET_SCREENSHOTS,
  ok: (text) => console.log(`ok ${text}`),
  say: (text) => console.log(text),
};
try {
  await page_tests.run(world);
} catch (error) {
  console.log(`not ok - ${error.stack ?? error}`);
  await world.page?.screenshot({ path: `${world.screenshots}/failed.png`, fullPage: true });
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
