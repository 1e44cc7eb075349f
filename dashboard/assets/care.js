// How do the pages of residents and handovers stay true under hands, print and copy? They are asked for again when
// something changed and each minute, because a set falls due without anything happening. Whoever is in a list keeps
// their place in it, and where something has just come to lie a finger presses nothing.
(function () {
  "use strict";
  const SPACING_MS = 600, QUIET_MS = 5000, MINUTE_MS = 60000, MOVED_MS = 500, MOVED_PX = 8;
  const LISTS = [["residents-list", "residents-turn", "residents-list"], ["shift-list", "shift-turn", "shift-changed"]];
  const CARD = ".resident, .resident-line";
  let turn = 0, timer = null, due = 0, asked = 0;
  let tops = new Map(), inside = null, isMeasured = true;

  function shown() {
    return LISTS.find(function (names) { return document.getElementById(names[0]) !== null; });
  }

  // ------------------------------------------------------------------------------------------- asking again

  // an alert is shown at once; values alone come all the time where many devices are, and change little here
  function plan(spacing) {
    const at = Math.max(Date.now(), asked + spacing);
    if (timer !== null && at >= due) return;
    window.clearTimeout(timer);
    due = at;
    timer = window.setTimeout(again, at - Date.now());
  }

  function again() {
    timer = null;
    const names = shown();
    // a page that nobody sees asks when it is seen again
    if (!names || document.hidden) return;
    asked = Date.now();
    // one question at a time, however slow its answer
    if (document.getElementById(names[2]).dataset.dashIsLoading) return plan(SPACING_MS);
    turn += 1;
    window.dash_clientside.set_props(names[1], { data: turn });
  }

  // what happens at another site changes nothing here, unless its alerts are counted beside this one's
  function concerns(sites, episodes) {
    const names = shown(), site = names && document.getElementById(names[0]).dataset.site;
    if (!site || sites === null || sites.indexOf(Number(site)) >= 0) return Boolean(names);
    return episodes && document.querySelector(".site-choice") !== null;
  }

  document.addEventListener("homeward:changed", function (event) {
    const told = event.detail;
    if (concerns(told.sites, told.episodes)) plan(told.episodes ? SPACING_MS : QUIET_MS);
  });
  document.addEventListener("visibilitychange", function () { if (!document.hidden) plan(SPACING_MS); });
  window.setInterval(function () { plan(SPACING_MS); }, MINUTE_MS);

  // --------------------------------------------------------------------------------------- focus and fingers

  function cards() {
    return document.querySelectorAll("#residents-list :is(" + CARD + ")");
  }

  // a card that lies elsewhere than a moment ago was not yet seen there: the tap on its way was meant for another
  function measure(isChange) {
    const found = new Map();
    cards().forEach(function (card) {
      const top = card.getBoundingClientRect().top, before = tops.get(card.id);
      found.set(card.id, top);
      if (isChange && tops.size && !(Math.abs(top - before) <= MOVED_PX)) hold(card);
    });
    tops = found;
  }

  function hold(card) {
    card.dataset.moved = "1";
    window.setTimeout(function () { delete card.dataset.moved; }, MOVED_MS);
  }

  function onFocus(event) {
    const card = event.target.closest("#residents-list :is(" + CARD + ")");
    if (card) inside = { id: event.target.id, card: card.id };
    else if (event.target !== document.body) inside = null;
  }

  // who has gone to another group has a new card: the focus goes along
  function follow() {
    if (inside === null || (document.activeElement && document.activeElement !== document.body)) return;
    const card = document.getElementById(inside.card);
    const place = (inside.id && document.getElementById(inside.id)) || (card && card.querySelector("button, a"));
    if (place) place.focus({ preventScroll: true });
  }

  function onChange() {
    if (!isMeasured) return;
    isMeasured = false;
    window.requestAnimationFrame(function () {
      isMeasured = true;
      measure(true);
      follow();
    });
  }

  document.addEventListener("focusin", onFocus);
  document.addEventListener("pointerdown", function () { inside = null; }, true);
  window.addEventListener("scroll", function () { if (tops.size) measure(false); }, { passive: true });
  window.addEventListener("resize", function () { if (tops.size) measure(false); });
  window.addEventListener("load", function () {
    new MutationObserver(function (changes) {
      if (changes.some(function (c) { return c.target.closest && c.target.closest("#residents-list"); })) onChange();
      else if (tops.size && !shown()) tops = new Map();
    }).observe(document.documentElement, { childList: true, subtree: true });
  });

  // ------------------------------------------------------------------------------------------- print and copy

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
