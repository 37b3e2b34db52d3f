/** How the host looks: JupyterLab says on the body whether it is light or dark, others in their own ways. */

/** Attributes of the page in which hosts say it: JupyterLab, Notebook, Voila; our frame; VS Code; Colab; Sphinx; Quarto. */
const attributes = [
  "data-jp-theme-light",
  "data-xw-framed",
  "data-vscode-theme-kind",
  "theme",
  "data-theme",
  "data-bs-theme",
  "class",
];
/** Classes of the page that say it: marimo, VS Code, Quarto, Vuetify. */
const classes: Record<string, boolean> = {
  dark: true,
  light: false,
  "dark-theme": true,
  "light-theme": false,
  "vscode-dark": true,
  "vscode-light": false,
  "quarto-dark": true,
  "quarto-light": false,
  "theme--dark": true,
  "theme--light": false,
};

/** Whether the host is dark, in its own words; null where it says nothing. */
export function darkHost(): boolean | null {
  const { body, documentElement } = document;
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) return jupyter === "false";
  const places = [body, documentElement, document.querySelector(".v-application")];
  for (const place of places) {
    for (const name of attributes) {
      const said = place?.getAttribute(name)?.toLowerCase() ?? "";
      if (name === "class") continue;
      // VS Code's dark theme of high contrast is the one that does not say it.
      if (/dark|high-contrast$/.test(said)) return true;
      if (/light/.test(said)) return false;
    }
    for (const name of place?.classList ?? []) if (name in classes) return classes[name]!;
  }
  return null;
}

/** Calls back whenever the host may have changed its theme; gives what ends it. */
export function watchHost(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  for (const place of [document.body, document.documentElement])
    observer.observe(place, { attributes: true, attributeFilter: attributes });
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    query.removeEventListener("change", changed);
  };
}
