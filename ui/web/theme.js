// Light or dark: what was chosen here, else what the system says.
const KEY = "xuntu-theme";
const SYSTEM = matchMedia("(prefers-color-scheme: dark)");

export class Theme {
  constructor(host, onTurn) {
    Object.assign(this, { host, onTurn });
    SYSTEM.addEventListener("change", () => this.dress());
    this.dress();
  }

  dress() {
    const chosen = localStorage.getItem(KEY);
    const dark = chosen ? chosen === "dark" : SYSTEM.matches;
    this.host.dataset.theme = dark ? "dark" : "light";
    if (chosen) document.documentElement.dataset.xuntuTheme = chosen;
    this.onTurn();
  }

  turn() {
    localStorage.setItem(KEY, this.host.dataset.theme === "dark" ? "light" : "dark");
    this.dress();
  }
}
