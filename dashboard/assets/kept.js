// What becomes of words that somebody was writing when their session ended? A shift's last hour is when handovers are
// written and sessions end. They are kept in this tab until it is closed, and put back for the same person and nobody else.
(function () {
  "use strict";
  const NAME = "homeward-kept", LOOK_MS = 250, LONGEST_MS = 15000, OLDEST_MS = 12 * 3600 * 1000;
  const BOXES = "textarea, input:not([type=password]):not([role=combobox]):not([aria-haspopup])";
  // what belongs to whoever is open beside a list is shown with their name: the place itself may be somebody else's by then
  const WHOSE = [["panel-note", "panel-name"], ["done-body", "done-name"]];
  const touched = new Set();

  function onInput(event) {
    const box = event.target;
    if (box.id && box.matches(BOXES) && box.closest("#page, [role=dialog]") && !box.closest(".filters, .cause-form, .triage-filters")) {
      touched.add(box.id);
    }
  }

  function text(id) {
    const node = document.getElementById(id);
    return node ? node.textContent.trim() : "";
  }

  function isChoice(box) {
    return box.type === "radio" || box.type === "checkbox";
  }

  function found() {
    return Array.from(touched).map(function (id) {
      const box = document.getElementById(id), whose = WHOSE.find(function (pair) { return pair[0] === id; });
      if (!box || box.readOnly || (isChoice(box) ? !box.checked : !box.value.trim())) return null;
      return { id: id, value: isChoice(box) ? true : box.value, whose: whose ? text(whose[1]) : "" };
    }).filter(Boolean);
  }

  function account() {
    const node = document.querySelector("#person [data-account]");
    return node ? node.dataset.account : null;
  }

  // says whether there was anything to keep
  function keep() {
    const fields = found();
    if (!fields.length) return false;
    try {
      const kept = { account: account(), path: window.location.pathname, at: Date.now(), fields: fields };
      window.sessionStorage.setItem(NAME, JSON.stringify(kept));
      return true;
    } catch (error) {
      return false; // storage is forbidden or full
    }
  }

  function take() {
    try {
      const kept = JSON.parse(window.sessionStorage.getItem(NAME));
      window.sessionStorage.removeItem(NAME);
      return kept;
    } catch (error) {
      return null;
    }
  }

  function has() {
    try { return window.sessionStorage.getItem(NAME) !== null; } catch (error) { return false; }
  }

  // ------------------------------------------------------------------------------------------------- put back

  function place(field) {
    return field.whose ? null : document.getElementById(field.id);
  }

  function isReady(kept) {
    return kept.fields.every(function (field) { return field.whose || place(field) !== null; }) &&
      document.querySelector("#page [data-dash-is-loading]") === null;
  }

  function put(field) {
    const box = place(field);
    if (isChoice(box)) {
      if (!box.checked) box.click();
    } else if (box.closest("#observe-form")) {
      box.value = field.value;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    } else {
      window.homeward.setProps(field.id.startsWith("{") ? JSON.parse(field.id) : field.id, { value: field.value });
    }
    touched.add(field.id);
  }

  function node(tag, words, role) {
    const made = document.createElement(tag);
    made.textContent = words;
    if (role) made.setAttribute("role", role);
    return made;
  }

  function tell(isBack, rest) {
    const words = document.getElementById("kept-words").dataset, box = node("aside", "", "status");
    box.className = "drafts kept";
    if (isBack) box.append(node("strong", words.back));
    if (rest.length) box.append(node("strong", words.rest));
    rest.forEach(function (field) { box.append(node("blockquote", (field.whose ? field.whose + ": " : "") + field.value)); });
    const button = node("button", words.close);
    button.type = "button";
    button.className = "entry-answer";
    button.addEventListener("click", function () { box.remove(); });
    box.append(button);
    document.body.append(box);
  }

  function restore() {
    const kept = take();
    if (!kept || kept.account !== account() || kept.path !== window.location.pathname || Date.now() - kept.at > OLDEST_MS) return;
    const since = Date.now();
    let calm = 0;
    const timer = window.setInterval(function () {
      const isLate = Date.now() - since > LONGEST_MS;
      calm = isReady(kept) ? calm + 1 : 0;
      // what the server writes into a box comes first
      if (calm < 2 && !isLate) return;
      window.clearInterval(timer);
      const back = kept.fields.filter(function (field) { return place(field) !== null; });
      const rest = kept.fields.filter(function (field) { return place(field) === null && field.value !== true; });
      back.forEach(put);
      if (back.length || rest.length) tell(back.length > 0, rest);
    }, LOOK_MS);
  }

  document.addEventListener("input", onInput, true);
  document.addEventListener("change", onInput, true);
  const waiting = window.setInterval(function () {
    if (!has()) return window.clearInterval(waiting);
    if (account() === null) return;
    window.clearInterval(waiting);
    restore();
  }, LOOK_MS);
  window.homewardKept = { keep: keep };
})();
