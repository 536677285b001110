// Begins the page once for as long as the document lives: what was typed and chosen outlives the script that mounts it.
// The document itself begins it (begin.js); Streamlit's script mounts it later, and is told what the person does.
import { declare } from "./address.js";
import { App } from "./app.js";

const STYLES = ["vendor/photoswipe/photoswipe.css", "app.css"];
let started = null;
let newest = null; // the component that was mounted last: it sends to the script
const waiting = new Map(); // what is told to the script once there is one

// Streamlit's own page lies behind this one, and what it would say in its language is said here.
const BEHIND = "html[data-xuntu-page=search] > body > :not(xuntu-page) { visibility: hidden !important; }";

function dressDocument(own) {
  const style = Object.assign(document.createElement("style"), { textContent: BEHIND });
  const manifest = Object.assign(document.createElement("link"), { rel: "manifest", href: `${own}manifest.webmanifest` });
  document.head.append(style, manifest);
}

async function start(data) {
  const own = new URL(".", import.meta.url).href;
  dressDocument(own);
  declare(data.options);
  const host = document.createElement("xuntu-page");
  host.dataset.page = document.documentElement.dataset.xuntuPage = data.page;
  const root = host.attachShadow({ mode: "open" });
  const styles = STYLES.map((name) => Object.assign(document.createElement("link"), { rel: "stylesheet", href: own + name }));
  const loaded = styles.map((one) => new Promise((resolve) => { one.onload = one.onerror = resolve; }));
  root.append(...styles);
  const read = async (lang) => [lang, await (await fetch(`${own}strings/${lang}.json`)).json()];
  const [labels] = await Promise.all([Promise.all(data.langs.map(read)), ...(document.body.append(host), loaded)]);
  const app = new App(host, root, {
    ...data, labels: Object.fromEntries(labels),
    pageOf: (path) => (path.replace(/\/$/, "").endsWith("/library") ? "library" : "search"),
    onPage: (page, told) => toScript("turn", { page, ...told }),
    onSpeak: (lang) => toScript("lang", lang),
  });
  return app;
}

function toScript(name, value) {
  if (newest) newest.setTriggerValue(name, value);
  else {
    waiting.set(name, value);
    document.dispatchEvent(new Event("xuntu:script-wanted"));
  }
}

// Streamlit says on its root element whether it is connected.
function followConnection(app) {
  const look = () => {
    const state = document.querySelector("[data-test-connection-state]")?.dataset.testConnectionState ?? "CONNECTED";
    const lost = state !== "CONNECTED" && state !== "STATIC_CONNECTED";
    if (lost === app.lost) return;
    app.lost = lost;
    app.update();
  };
  new MutationObserver(look).observe(document.body, { attributes: true, attributeFilter: ["data-test-connection-state"], subtree: true });
}

// Resolves when there are pictures to see, or it is told why there are none.
export async function open(data) {
  const app = await (started ??= start(data));
  app.title();
  await app.listing.shown;
}

export async function mount(component) {
  const isFirst = !newest;
  newest = component;
  const app = await (started ??= start(component.data));
  if (isFirst) {
    followConnection(app);
    waiting.forEach((value, name) => toScript(name, value));
    waiting.clear();
  }
  const { page } = component.data;
  if (newest === component && (app.page !== page || app.host.dataset.page !== page)) app.turned(page); // back and forward, too
  else app.title(); // Streamlit has its own
}
