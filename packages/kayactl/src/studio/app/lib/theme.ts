import { effect, signal } from "@preact/signals";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const STORED_AS = "kaya-studio-theme";

function stored(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(STORED_AS)) ?? "system";
  } catch {
    return "system"; // a browser that stores nothing
  }
}

export const theme = signal<Theme>(stored());

/** Holds the page to what is chosen, and remembers it. */
export function applyTheme(): void {
  effect(() => {
    const chosen = theme.value;
    if (chosen === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    try {
      if (chosen === "system") localStorage.removeItem(STORED_AS);
      else localStorage.setItem(STORED_AS, chosen);
    } catch {
      // It holds as long as the page is open.
    }
  });
}
