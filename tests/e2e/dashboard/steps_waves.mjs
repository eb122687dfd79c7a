// Rollouts in waves over sixty devices, of which a third takes back every release.
import assert from "node:assert/strict";

export async function waves(world, window) {
  const { page } = window;
  await window.go("/");
  await world.outside("many_devices");
  await window.sees("63 online", ".sums li:nth-child(1)");
  await aGoodOne(world, window);
  await aHaltedOne(world, window);
  await aRevertedOne(world, window);
  await revoke(world, window);
  await world.outside("no_many_devices");
}

async function opened(window, id) {
  await window.go("/");
  await window.page.click(`.rollout h3 >> text=${id}`);
  await window.page.waitForURL(`**/rollouts/${id}`);
  return id;
}

// One device, then a quarter, then all; a person holds it during the soak.
async function aGoodOne(world, window) {
  const { page } = window;
  await world.outside("push_waves");
  const id = await opened(window, "r-6");
  const wave = (number) => page.locator(".waves > li").nth(number - 1);
  await wave(1).locator(".dots a.good").waitFor();
  assert.equal(await wave(1).locator(".dots a").count(), 1);
  assert.equal(await wave(2).locator(".dots a").count(), 9);
  assert.equal(await wave(3).locator(".dots a").count(), 30);
  const soak = wave(2).locator("time[role=timer]");
  await soak.waitFor();
  await window.shot("13-wave-soaks", { fullPage: true });
  await window.isAccessible();
  const left = await soak.textContent();
  assert.match(left, /^\d+ s$/);
  await page.waitForFunction(
    (before) => document.querySelector("time[role=timer]")?.textContent !== before,
    left,
  );
  world.ok("waves are rows of dots, and what is left of the soak counts down");
  const pause = page.getByRole("button", { name: `Pause ${id}`, exact: true });
  await pause.click();
  await window.sees(`Pause ${id}, 39 devices to wait?`, "dialog[open]");
  await window.shot("14-pause-asks");
  await page.click("dialog[open] button.strong");
  await window.sees("paused", ".page-head");
  await window.sees("waits for a person", ".waves");
  await window.sees(`fleetctl rollout resume ${id}`, ".command");
  await page.getByRole("button", { name: `Resume ${id}` }).click();
  await page.click("dialog[open] button.strong");
  await window.sees("running", ".page-head");
  await window.sees(`fleetctl rollout pause ${id}`, ".command");
  await wave(2).locator(".dots a.good").nth(8).waitFor();
  await wave(3).locator(".dots a.good").nth(29).waitFor();
  await window.sees("succeeded", ".page-head");
  await window.sees(/is live on 40 of 40 devices/, ".verdict");
  await window.counts(".waves .dots a.good", 40);
  world.ok("a rollout is paused, resumed and followed through its waves to the end");
}

// Past its limit it stops, and a person decides. Short names go first: lyon-1 to 9, rome-1 to 9.
async function aHaltedOne(world, window) {
  const { page } = window;
  await world.outside("push_halts");
  const id = await opened(window, "r-7");
  await window.sees("paused", ".page-head");
  await window.sees("stops above 5%", ".threshold");
  await window.sees("One fault");
  await window.sees("no answer: simulated", ".fault");
  await window.sees("51f00000", ".fault");
  await window.sees("sim: listening", ".fault .console");
  await window.shot("15-wave-paused", { fullPage: true });
  await window.isAccessible();
  world.ok(
    "past its limit a rollout pauses; the line is drawn, equal faults are one, with console",
  );
  const bad = await page.locator(".waves .dots a.bad").count();
  assert.ok(bad > 0);
  const retry = page.getByRole("button", { name: /^Retry \d+ devices?$/ });
  assert.equal(await retry.textContent(), `Retry ${bad} device${bad === 1 ? "" : "s"}`);
  await retry.click();
  const retried = page.waitForResponse((answer) => answer.url().endsWith("/retry"));
  await page.click("dialog[open] button.strong");
  assert.equal((await retried).status(), 200);
  await page.getByRole("button", { name: `Abort ${id}` }).click();
  await window.sees(/Abort r-\d+ for \d+ devices\?/, "dialog[open]");
  await page.click("dialog[open] button.strong");
  await window.sees("aborted", ".page-head");
  world.ok("what failed is asked again, and a paused rollout is called off");
}

async function aRevertedOne(world, window) {
  const { page } = window;
  await world.outside("push_reverts");
  await opened(window, "r-8");
  await window.sees("failed", ".page-head");
  await window.sees("never opened", ".waves");
  await window.sees("stopped", ".waves");
  await window.sees("One fault"); // not two: who is taken back has none of its own
  await window.shot("16-wave-reverted", { fullPage: true });
  await window.isAccessible();
  world.ok("a rollout that fails in its waves is taken back");
}

/** Behind typing the name; what is gone is gone from the lists. */
async function revoke(world, window) {
  const { page } = window;
  await window.go("/devices/rome-20");
  await page.getByRole("button", { name: "Revoke" }).click();
  const does = page.locator("dialog[open] button.strong");
  await page.fill("dialog[open] input", "rome-2");
  assert.ok(await does.isDisabled(), "another name is not the name");
  await page.fill("dialog[open] input", "rome-20");
  assert.equal(await does.textContent(), "Revoke rome-20");
  await window.shot("17-revoke");
  await does.click();
  await page.waitForURL("**/devices");
  await window.sees(/62 of 62 devices/);
  await window.go("/devices/rome-20");
  await window.sees("no device rome-20");
  world.ok("a device is revoked behind typing its name");
}
