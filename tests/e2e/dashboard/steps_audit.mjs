// The audit log as a person reads it: who did what, whether it holds together, and a lying one.
import assert from "node:assert/strict";

export async function audit(world, window) {
  const { page } = window;
  await window.go("/");
  await window.sees("live", "#live");
  await page.keyboard.press("g");
  await page.keyboard.press("u");
  await page.waitForURL("**/audit");
  await window.sees(/verified to #\d+/, ".chain");
  const row = page.locator(".audit tbody tr");
  await row.filter({ hasText: "rollout.aborted" }).filter({ hasText: "r-5" }).waitFor();
  await row.filter({ hasText: "device.labelled" }).filter({ hasText: "rack=b4" }).first().waitFor();
  const first = row.filter({ hasText: "device:edge-1" }).filter({ hasText: "192.0.2.11" });
  await first.filter({ hasText: "device.enrolled" }).waitFor();
  await window.shot("18-audit", { fullPage: true });
  await window.isAccessible();
  world.ok("the audit page tells who did what to what and from where");

  await row
    .filter({ hasText: "rollout.aborted" })
    .getByRole("link", { name: "r-5", exact: true })
    .click();
  await page.waitForURL("**/audit?object=r-5");
  await row.filter({ hasText: "rollout.started" }).waitFor();
  await page.waitForFunction(
    () =>
      ![...document.querySelectorAll(".audit tbody tr")].some(
        (one) => !one.textContent.includes("r-5"),
      ),
  );
  await page.fill("label:has-text('who') input", "nobody");
  await page.keyboard.press("Enter");
  await window.sees("Nobody did such a thing.");
  await page.click("text=Show all");
  world.ok("it is narrowed by who, what and to what, and each view has an address");

  await pages(world, window);
  await changed(world, window);
}

// More entries than a page holds.
async function pages(world, window) {
  const { page } = window;
  const { csrf } = await page.evaluate(async () => (await fetch("/v1/session")).json());
  await page.evaluate(async (token) => {
    const headers = { "X-CSRF-Token": token, "Content-Type": "application/json" };
    for (let floor = 0; floor < 120; ++floor) {
      const body = JSON.stringify({ set: { floor: String(floor) } });
      await fetch("/v1/devices/edge-3", { method: "PATCH", headers, body });
    }
    await fetch("/v1/devices/edge-3", { method: "PATCH", headers, body: '{"remove": ["floor"]}' });
  }, csrf);
  await window.go("/audit");
  await window.sees(/verified to #\d+, and #\d+ is the one seen here before/, ".chain");
  const rows = page.locator(".audit tbody tr");
  await window.counts(".audit tbody tr", 100);
  await page.click("text=Show older ones");
  await rows.filter({ hasText: "rollout.aborted" }).first().waitFor();
  const numbers = await rows.locator("td:first-child").allTextContents();
  const sequences = numbers.map((text) => Number(text.slice(1)));
  assert.ok(
    sequences.every((one, at) => at === 0 || one === sequences[at - 1] - 1),
    "no gap",
  );
  world.ok("older entries come page by page, and the end that was seen before is in the log");
}

// What a controller with a rewritten store would answer.
async function changed(world, window) {
  const { page } = window;
  const lie = async (route) => {
    const answer = await route.fetch();
    const log = await answer.json();
    for (const entry of log.entries) {
      if (entry.action === "rollout.aborted") entry.who = "eve";
    }
    await route.fulfill({ response: answer, json: log });
  };
  await page.route("**/v1/audit?**", lie);
  await window.go("/audit");
  await window.sees(/not sound at #\d+: it, or one before it, was changed/, ".chain");
  await window.shot("19-audit-changed");
  await page.unroute("**/v1/audit?**", lie);
  const shorter = async (route) => {
    const answer = await route.fetch();
    const log = await answer.json();
    log.entries.splice(0, 2);
    log.head = { sequence: log.entries[0].sequence, hash: log.entries[0].hash };
    await route.fulfill({ response: answer, json: log });
  };
  await page.route("**/v1/audit?**", shorter);
  await window.go("/audit");
  await window.sees(/this browser saw entry \d+, and it is gone/, ".chain");
  await page.unroute("**/v1/audit?**", shorter);
  await window.go("/audit");
  await window.sees(/verified to #\d+/, ".chain");
  world.ok("an entry that was changed, and a log that was shortened, are seen in the browser");
}
