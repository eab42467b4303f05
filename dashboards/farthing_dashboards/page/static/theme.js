// Before anything is drawn: the theme that the reader chose, else the system's.
"use strict";
try {
  const chosen = localStorage.getItem("farthing-theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // No storage here: the system's theme it is.
}
