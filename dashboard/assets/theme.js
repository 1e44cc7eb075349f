// Light or dark, before anything is drawn: the choice that was kept, else the system's.
(function () {
  "use strict";
  let kept = null;
  try {
    kept = window.localStorage.getItem("mantine-color-scheme-value");
  } catch (error) {
    kept = null; // storage may be forbidden; the system's choice holds then
  }
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const scheme = kept === "light" || kept === "dark" ? kept : dark ? "dark" : "light";
  document.documentElement.setAttribute("data-mantine-color-scheme", scheme);
})();
