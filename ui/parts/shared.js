// Shared by the three parts: elements from data, icons, links. Texts are set as text, never as markup.
const PATHS = {
  search: '<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.5"/>',
  picture: '<rect x="3.5" y="4.5" width="17" height="15" rx="2.5"/><circle cx="9" cy="10" r="1.6"/>' +
    '<path d="m4 17 5-4.5 3.5 3 3-2.5 4.5 4"/>',
  close: '<path d="m6 6 12 12M18 6 6 18"/>',
  plus: '<path d="M12 5v14M5 12h14"/>',
  minus: '<path d="M5 12h14"/>',
  left: '<path d="m14.5 5-7 7 7 7"/>',
  right: '<path d="m9.5 5 7 7-7 7"/>',
  theme: '<circle cx="12" cy="12" r="8"/><path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor"/>',
  filter: '<path d="M4 7h16M7 12h10M10 17h4"/>',
  copy: '<rect x="8.5" y="8.5" width="11" height="11" rx="2"/><path d="M15.5 8.5v-2a2 2 0 0 0-2-2h-7a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h2"/>',
  crop: '<path d="M7 2.5V17h14.5M2.5 7H17v14.5"/>',
  done: '<path d="m5 12.5 4.5 4.5L19 7.5"/>',
  download: '<path d="M12 4v11M7.5 11 12 15.5 16.5 11M5 19.5h14"/>',
  play: '<path d="M8 5.5v13l11-6.5z" fill="currentColor"/>',
  retry: '<path d="M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4"/>',
};

function icon(name) {
  const holder = document.createElement("template");
  holder.innerHTML = '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.7" ' +
    `stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${PATHS[name]}</svg>`;
  return holder.content.firstChild;
}

function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([key, one]) => element.style.setProperty(key, one));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// A link of the page. `kind` "search" replaces the hits, "detail" only opens or closes a picture.
function link(href, attributes, ...children) {
  return h("a", { href, "data-kind": "search", ...attributes }, ...children);
}

function labelled(label, attributes) {
  return { title: label, "aria-label": label, ...attributes };
}

// Replaces the children and gives the keyboard focus back to the element with the same data-key.
function fill(container, ...children) {
  const active = container.getRootNode().activeElement;
  const key = active && container.contains(active) ? active.dataset.key : null;
  container.replaceChildren(...children.flat().filter(Boolean));
  if (key) {
    const again = [...container.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
    if (again) again.focus();
  }
}

const say = (name, detail) => document.dispatchEvent(new CustomEvent(`xuntu:${name}`, { detail }));
const small = (globalThis.xuntuSmall ??= new Map()); // image id -> the small picture already on the page

// Sets a part up once; later calls only bring new data and the newest way to send.
function connect(component, setUp) {
  const root = component.parentElement.querySelector(".root");
  if (!root.xuntu) {
    root.xuntu = { root, send: component.setTriggerValue, shown: null };
    root.xuntu.go = (href, kind) => {
      say("busy", { kind: kind || "search" });
      root.xuntu.send("go", href);
    };
    root.addEventListener("click", (event) => {
      const anchor = event.target.closest("a[data-kind]");
      const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
      if (!anchor || !plain) return;
      event.preventDefault();
      root.xuntu.go(anchor.getAttribute("href"), anchor.dataset.kind);
    });
    setUp(root.xuntu);
  }
  root.xuntu.send = component.setTriggerValue;
  return root.xuntu;
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { style: { position: "fixed", opacity: "0" } });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function copyButton(label, done, text, attributes) {
  const words = h("span", null, label);
  const button = h("button", { type: "button", class: "button", ...attributes }, icon("copy"), words);
  button.addEventListener("click", async () => {
    await copyText(text);
    words.textContent = done;
    button.replaceChild(icon("done"), button.firstChild);
    setTimeout(() => {
      words.textContent = label;
      button.replaceChild(icon("copy"), button.firstChild);
    }, 1600);
  });
  return button;
}

