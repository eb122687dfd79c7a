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

  /** Text that can be read: WCAG 2 AA, 4.5:1, 3:1 for large text. */
  async isReadable() {
    const weak = await this.page.evaluate(weakTexts);
    assert.deepEqual(weak, [], `weak text on ${this.page.url()}`);
  }

  isClean() {
    assert.deepEqual(this.faults, []);
  }

  async close() {
    this.isClean();
    await this.context.close();
  }
}

// Runs in the page: visible texts whose contrast to what is behind them is too weak.
function weakTexts() {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      layers.push(color);
      if (color.a === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below));
  };
  const weak = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    const text = texts.currentNode.data.trim();
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    if (!text || !box.width || style.visibility !== "visible" || box.width <= 1) continue;
    if (node.closest("[disabled], noscript, .heard")) continue;
    const back = behind(node);
    const [a, b] = [light(over(parse(style.color), back)), light(back)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = Number.parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) weak.add(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return [...weak];
}
