// How do the pages of residents and handovers stay true, print and copy? They are asked for again when something changed
// and each minute, because a set falls due without anything happening.
(function () {
  "use strict";
  const SPACING_MS = 600, MINUTE_MS = 60000;
  let turn = 0, waiting = null;

  function again() {
    waiting = null;
    turn += 1;
    [["residents-list", "residents-turn"], ["shift-list", "shift-turn"]].forEach(function (pair) {
      if (document.getElementById(pair[0])) window.dash_clientside.set_props(pair[1], { data: turn });
    });
  }

  document.addEventListener("homeward:changed", function () {
    if (waiting === null) waiting = window.setTimeout(again, SPACING_MS);
  });
  window.setInterval(again, MINUTE_MS);

  // browsers give the clipboard to pages over TLS or on this machine only; the older way works elsewhere
  function copy(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const box = document.createElement("textarea");
    box.value = text;
    document.body.append(box);
    box.select();
    const isDone = document.execCommand("copy");
    box.remove();
    return isDone ? Promise.resolve() : Promise.reject(new Error("not copied"));
  }

  function tell(button, isDone) {
    const words = button.dataset.words || button.textContent;
    button.dataset.words = words;
    button.textContent = isDone ? button.dataset.done : button.dataset.failed;
    window.setTimeout(function () { button.textContent = words; }, 4000);
  }

  function sections() {
    const title = document.querySelector("h1").textContent;
    const parts = Array.from(document.querySelectorAll("textarea[data-section]")).map(function (box) {
      return box.dataset.section.toUpperCase() + "\n" + box.value.trim() + "\n";
    });
    return [title + "\n"].concat(parts).join("\n");
  }

  document.addEventListener("click", function (event) {
    if (event.target.closest(".print-page")) window.print();
    const draft = event.target.closest("#handover-copy"), signed = event.target.closest(".copy-from");
    const button = draft || signed;
    if (!button) return;
    const text = draft ? Promise.resolve(sections()) : fetch(signed.dataset.from).then(function (answer) {
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.text();
    });
    text.then(copy).then(function () { tell(button, true); }, function () { tell(button, false); });
  });
})();
