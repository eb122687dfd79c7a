// A browser's window on the dashboard, which notes what must never happen: a request to another
// host, a broken policy, an error of the page.
import assert from "node:assert/strict";

const kWait = 30000;

export class Window {
  static async open(world, options = {}) {
    const context = await world.browser.newContext({
      ignoreHTTPSErrors: true, // the fleet's own authority
      viewport: { width: 1440, height: 900 },
      locale: "en-GB",
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(kWait);
    const window = new Window(world, context, page);
    world.page = page;
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      const own = origin === new URL(world.address).origin || protocol === "blob:";
      if (!own) window.faults.push(`a request to ${request.url()}`);
    });
    page.on("pageerror", (error) => window.faults.push(`error: ${error.message} ${error.stack}`));
    page.on("console", (message) => {
      const isStatus = /Failed to load resource/.test(message.text()); // told apart by the steps
      if (message.type() === "error" && !isStatus) window.faults.push(message.text());
    });
    return window;
  }

  constructor(world, context, page) {
    this.world = world;
    this.context = context;
    this.page = page;
    this.faults = [];
  }

  async go(path) {
    await this.page.goto(this.world.address + path);
  }

  /** By these keys, one after the other; pressed again where a busy machine took too long between. */
  async goesBy(keys, path) {
    for (let tries = 1; new URL(this.page.url()).pathname !== path; ++tries) {
      assert.ok(tries <= 5, `${keys} does not go to ${path}`);
      for (const key of keys) await this.page.keyboard.press(key);
      await this.page.waitForURL(`**${path}`, { timeout: 3000 }).catch(() => {});
    }
  }

  async logIn(token = this.world.token) {
    await this.page.fill("#token", token);
    await this.page.click("text=Log in");
  }

  /** Waits until the page says it. */
  async sees(text, within = "body") {
    const place = this.page.locator(within);
    const found = text instanceof RegExp ? place.filter({ hasText: text }) : place.getByText(text);
    await found.first().waitFor({ state: "visible", timeout: kWait });
  }

  /** Waits until so many are there. */
  async counts(selector, number) {
    const there = this.page.locator(selector);
    const end = Date.now() + kWait;
    while ((await there.count()) !== number && Date.now() < end) await this.page.waitForTimeout(50);
    assert.equal(await there.count(), number, selector);
  }

  async seesNot(text) {
    assert.equal(await this.page.getByText(text).count(), 0, `the page says ${text}`);
  }

  async shot(name, options = {}) {
    if (options.fullPage) await this.page.evaluate(() => scrollTo(0, 0));
    await this.page.waitForTimeout(400); // a picture, not a verdict: plots are drawn by then
    await this.page.screenshot({ path: `${this.world.screenshots}/${name}.png`, ...options });
  }

  /** Nothing sticks out sideways. */
  async fits() {
    const [wide, screen] = await this.page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    assert.ok(wide <= screen, `${this.page.url()} is ${wide} wide on a screen of ${screen}`);
  }

  /** WCAG 2.1 A and AA as far as a program can tell: contrast, names, roles. */
  async isAccessible() {
    await this.page.evaluate(this.world.axe);
    const found = await this.page.evaluate(async () => {
      const { violations } = await axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
      });
      return violations.map(({ id, nodes }) => {
        const places = nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`);
        return `${id}: ${places.join("; ")}`;
      });
    });
    assert.deepEqual(found, [], `not accessible: ${this.page.url()}`);
  }

  isClean() {
    assert.deepEqual(this.faults, []);
  }

  async close() {
    this.isClean();
    await this.context.close();
  }
}
