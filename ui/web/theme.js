// Light or dark: as it was chosen here, else as the system is. Streamlit's own widgets on the page of the library follow.
const CHOSEN = "xuntu-theme";
const DARK = "(prefers-color-scheme: dark)";
const NAMES = { light: "Light", dark: "Dark", auto: "System" };
const PAGES = ["", "library"];

export class Theme {
  constructor(host, { base, themes }, onChange) {
    Object.assign(this, { host, base, themes, onChange });
    matchMedia(DARK).addEventListener("change", () => this.dress());
    addEventListener("storage", (event) => event.key === CHOSEN && this.dress()); // chosen in another tab
    addEventListener("pagehide", () => this.keep());
    this.sent = this.begun;
    this.dress();
  }

  get system() {
    return matchMedia(DARK).matches ? "dark" : "light";
  }

  // "light", "dark" or "auto".
  get chosen() {
    const chosen = localStorage.getItem(CHOSEN);
    return chosen === "light" || chosen === "dark" ? chosen : "auto";
  }

  get shown() {
    return this.chosen === "auto" ? this.system : this.chosen;
  }

  // The one in which Streamlit has begun.
  get begun() {
    const kept = localStorage.getItem(this.keyOf(location.pathname));
    return kept === '"Dark"' ? "dark" : kept === '"Light"' ? "light" : this.system;
  }

  keyOf(path) {
    return `stActiveTheme-${path}-v2`;
  }

  // From the system's to the other one, to the one that it is as well, and back to the system's.
  turn() {
    const other = this.system === "dark" ? "light" : "dark";
    const next = { auto: other, [other]: this.system, [this.system]: "auto" }[this.chosen];
    if (next === "auto") localStorage.removeItem(CHOSEN);
    else localStorage.setItem(CHOSEN, next);
    this.dress();
  }

  dress() {
    const { shown } = this;
    this.host.dataset.theme = shown;
    const isThere = document.querySelector(".stApp"); // else it begins in the one that is kept
    if (isThere && shown !== this.sent) postMessage({ stCommVersion: 1, type: "SET_CUSTOM_THEME_CONFIG", themeInfo: this.themes[shown] }, location.origin);
    this.sent = shown;
    this.keep();
    setTimeout(() => this.keep()); // what is imported, Streamlit keeps as nothing that was chosen
    this.onChange();
  }

  // So that Streamlit begins in it the next time.
  keep() {
    for (const page of PAGES) localStorage.setItem(this.keyOf(this.base + page), JSON.stringify(NAMES[this.chosen]));
  }
}
