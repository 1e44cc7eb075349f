// How do the pages of residents and handovers stay true, print and copy? They are asked for again when something changed
// and each minute, because a set falls due without anything happening.
(function () {
  "use strict";
  const SPACING_MS = 600, MINUTE_MS = 60000;
  let turn = 0, waiting = null;

  function again() {
    waiting = null;
    if (!document.getElementById("residents-list")) return;
    turn += 1;
    window.dash_clientside.set_props("residents-turn", { data: turn });
  }

  document.addEventListener("homeward:changed", function () {
    if (waiting === null) waiting = window.setTimeout(again, SPACING_MS);
  });
  window.setInterval(again, MINUTE_MS);

  document.addEventListener("click", function (event) {
    if (event.target.closest(".print-page")) window.print();
  });
})();
