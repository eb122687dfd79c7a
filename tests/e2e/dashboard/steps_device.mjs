// What a person does with one device: asks why, changes its labels.
import assert from "node:assert/strict";

/** After a release that its devices took back: from what needs a person to the reason. */
export async function why(world, window) {
  const { page } = window;
  await window.go("/");
  await page.click(".needs summary");
  await page.click("text=Why edge-1 does not run it");
  await page.waitForURL("**/devices/edge-1/why");
  await window.sees("edge-1 runs dns 1, not dns 2.");
  await window.sees(/rollout r-2/, ".facts");
  await window.sees("TRIED", ".why-rules");
  await window.sees(/fleetctl why edge-1 dns/, ".command");
  const said = await page.evaluate(async () => (await fetch("/v1/devices/edge-1/why")).json());
  await window.sees(said.apps[0].held_by[0].text);
  await window.shot("06-why", { fullPage: true });
  await window.isAccessible();
  await page.click(".facts >> text=r-2");
  await page.waitForURL("**/rollouts/r-2");
  world.ok("a device's page says why it does not run what is wanted, as fleetctl does");
}

export async function labels(world, window) {
  const { page } = window;
  await window.go("/devices/edge-2");
  await page.click("text=Edit labels");
  const does = page.locator("dialog[open] button.strong");
  assert.ok(await does.isDisabled(), "nothing is changed yet");
  await page.fill("dialog[open] input:not([type])", "rack");
  await window.sees("write NAME=VALUE");
  assert.ok(await does.isDisabled(), "a word is no label");
  await page.fill("dialog[open] input:not([type])", "rack=b4 floor=2");
  await page.check("dialog[open] >> text=role=resolver");
  assert.equal(await does.textContent(), "Set rack=b4, floor=2, take away role on edge-2");
  await window.shot("07-labels");
  await does.click();
  await window.sees("rack=b4", ".chips");
  await window.sees("floor=2", ".chips");
  await window.counts(".chips >> text=role=resolver", 0);
  // What the controller does not take is told where it was asked, and changes nothing.
  await page.click("text=Edit labels");
  await page.fill("dialog[open] input:not([type])", "Rack=b5");
  await does.click();
  await window.sees(/names are of a-z/, "dialog[open] [role=alert]");
  await page.click("dialog[open] >> text=Leave it");
  await page.click("text=Edit labels");
  await page.fill("dialog[open] input:not([type])", "role=resolver");
  await page.check("dialog[open] >> text=rack=b4");
  await page.check("dialog[open] >> text=floor=2");
  await does.click();
  await window.sees("role=resolver", ".chips");
  world.ok("labels are changed on the device's page, which names what it will change");
}
