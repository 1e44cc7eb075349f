// What does a second press on a button do whose first has not been answered? Nothing: what is done twice, such as a note
// or a signature, is there twice. A button that waits for its answer says so.
(function () {
  "use strict";
  const DRAWN_MS = 150, ASKED = "_dash-update-component", COUNT = "n_clicks", PRESSED = "." + COUNT;
  const waiting = new Map(), fetchOnly = window.fetch;

  function show(id) {
    const button = document.getElementById(id);
    if (button && waiting.has(id)) button.setAttribute("aria-busy", "true");
    else if (button) button.removeAttribute("aria-busy");
  }

  function wait(id, more) {
    const count = (waiting.get(id) || 0) + more;
    if (count > 0) waiting.set(id, count); else waiting.delete(id);
  }

  // an id as Dash has it in the page
  function written(id) {
    if (typeof id === "string") return id;
    const part = function (key) { return JSON.stringify(key) + ":" + JSON.stringify(id[key]); };
    return "{" + Object.keys(id).sort().map(part).join(",") + "}";
  }

  // the buttons whose press a request of Dash is about, by these ids; one that was only drawn has no count
  function buttons(resource, options) {
    const body = options && options.body;
    if (String(resource).indexOf(ASKED) < 0 || typeof body !== "string" || body.indexOf(PRESSED) < 0) return [];
    const asked = JSON.parse(body), changed = asked.changedPropIds || [];
    return (asked.inputs || []).flat()
      .filter(function (input) { return input && input.property === COUNT && input.value; })
      .map(function (input) { return written(input.id); })
      .filter(function (id) { return changed.indexOf(id + PRESSED) >= 0; });
  }

  window.fetch = function (resource, options) {
    const answer = fetchOnly.apply(this, arguments), ids = buttons(resource, options);
    ids.forEach(function (id) { wait(id, 1); show(id); });
    if (ids.length) {
      const end = function () {
        ids.forEach(function (id) { wait(id, -1); });
        // what the answer changes is drawn a moment after it has come; a button that it draws anew is ready at once
        window.setTimeout(function () { ids.forEach(show); }, DRAWN_MS);
      };
      answer.then(end, end);
    }
    return answer;
  };

  // by keyboard: for a pointer it is out of reach (homeward.css)
  document.addEventListener("click", function (event) {
    const button = event.target.closest && event.target.closest(":is(#page, [role=dialog]) button[id]");
    if (!button || !(waiting.has(button.id) || button.getAttribute("aria-busy") === "true")) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
})();
