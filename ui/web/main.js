// Mounts the page once for as long as the document lives: what was typed and chosen outlives the script that mounts it.
import { declare } from "./address.js";
import { App } from "./app.js";

const STYLES = ["vendor/photoswipe/photoswipe.css", "app.css"];
let started = null;
let newest = null; // the component that was mounted last: it sends to the script

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
    onPage: (page, told) => newest.setTriggerValue("turn", { page, ...told }),
    onSpeak: (lang) => newest.setTriggerValue("lang", lang),
  });
  followConnection(app);
  return app;
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

export function mount(component) {
  newest = component;
  started ??= start(component.data);
  const { page } = component.data;
  started.then((app) => newest === component && app.page !== page && app.turned(page));
}
