// What can a person do on the triage list without leaving it? Acts on one patient or several, the panel, the keys, what is
// new, and the sound. An act goes to the server as plain values; its answer says for each patient what happened.
(function () {
  "use strict";
  const hw = window.homeward, list = hw.list, setProps = hw.setProps, has = hw.has;
  const ANSWER_MS = 8000, NEW_MS = 8000, SEEN_MS = 30000, MOST_TOLD = 3, SOUND_MS = 10000, SOUND = "homeward-sound";
  const picked = (window.homewardPicked = new Map()), drafts = new Map();
  let turn = 0, sent = "", opened = null, lateTimer = null, newsAt = null, wanted = new Set(), wantsAll = false;
  let sounds = null, lastSound = 0;
  const told = new Map(), fresh = new Map();

  // ------------------------------------------------------------------------------------------------------- acts

  function act(given) {
    turn += 1;
    const data = Object.assign({ turn: turn, note: "" }, given);
    sent = data.note;
    if (data.kind === "acknowledge" && data.episodes) window.homewardUnderway.add(data.episodes.join(","));
    setProps("triage-act", { data: data });
    window.clearTimeout(lateTimer);
    lateTimer = window.setTimeout(function () {
      window.homewardUnderway.clear();
      redraw();
      outcome(["No answer yet: it is not known whether this was stored. The list shows what is."], false);
    }, ANSWER_MS);
    redraw();
  }

  function ids(text) {
    return text ? text.split(",").map(Number) : [];
  }

  function redraw() {
    const api = list.grid();
    if (api) api.refreshCells({ columns: ["pick", "owner", "tile"], force: true });
  }

  function note() {
    const box = document.getElementById("panel-note");
    return box ? box.value : "";
  }

  function shownEpisodes() {
    return Array.from(document.querySelectorAll("#panel [data-episode]")).map(function (e) { return Number(e.dataset.episode); });
  }

  function press(button) {
    const data = button.dataset, inPanel = button.closest("#panel") !== null;
    const given = { kind: data.act, patient: data.patient || opened, note: inPanel ? note() : "" };
    if (data.act === "note" || data.act === "call") given.outcome = data.outcome || "";
    else given.episodes = data.episodes ? ids(data.episodes) : shownEpisodes();
    if (data.minutes) given.minutes = Number(data.minutes);
    if (data.holder) given.holder = Number(data.holder);
    act(given);
  }

  function pressBulk(button) {
    const kind = button.dataset.bulk, episodes = [];
    picked.forEach(function (row) {
      Array.prototype.push.apply(episodes, kind === "acknowledge" && row.waiting.length ? row.waiting : row.episodes);
    });
    act({ kind: kind, episodes: episodes, minutes: Number(button.dataset.minutes || 0), note: reason(), several: true });
  }

  function outcome(lines, isDone) {
    const children = lines.map(function (line, i) {
      return { type: "Span", namespace: "dash_html_components", props: { children: line, key: String(i) } };
    });
    setProps("triage-outcome", { children: children, className: "outcome" + (isDone ? "" : " outcome-part") });
  }

  // -------------------------------------------------------------------------------------------- several at once

  function pick(patient) {
    const api = list.grid(), node = api && api.getRowNode(String(patient));
    if (picked.has(patient)) picked.delete(patient);
    else if (node && node.data && node.data.episodes.length) picked.set(patient, node.data);
    showPicked();
  }

  function showPicked() {
    setProps("bulk", { hidden: picked.size === 0 });
    setProps("bulk-count", { children: picked.size + " selected" });
    redraw();
  }

  function reason() {
    const box = document.getElementById("bulk-reason");
    return box ? box.value : "";
  }

  function clearPicked(keepsReason) {
    picked.clear();
    if (!keepsReason) setProps("bulk-reason", { value: "" });
    showPicked();
  }

  // -------------------------------------------------------------------------------------------------- the panel

  function open(patient, target) {
    const id = String(patient), box = document.getElementById("panel-note");
    if (!has("panel")) return;
    if (opened !== id) {
      if (opened !== null && box) drafts.set(opened, box.value);
      setProps("panel-note", { value: drafts.get(id) || "" });
    }
    ask(id);
    opened = id;
    setProps("panel", { hidden: false });
    if (target) whenShown(target);
    mark();
  }

  function ask(patient) {
    turn += 1;
    setProps("triage-open", { data: { patient: Number(patient), turn: turn } });
  }

  function whenShown(target) {
    window.requestAnimationFrame(function () {
      const node = document.querySelector(target);
      if (node) node.focus();
    });
  }

  function close() {
    const box = document.getElementById("panel-note");
    if (box && opened !== null) drafts.set(opened, box.value);
    opened = null;
    setProps("panel", { hidden: true });
    mark();
  }

  // rows that are open in the panel, selected or new carry it as a class: the grid draws its rows anew as it likes
  function mark() {
    document.querySelectorAll("#" + list.id + " .ag-row").forEach(function (row) {
      const id = row.getAttribute("row-id");
      row.classList.toggle("row-open", id !== null && id === opened);
      row.classList.toggle("row-picked", picked.has(id));
      row.classList.toggle("row-new", fresh.has(id) && Date.now() - fresh.get(id) < NEW_MS);
    });
  }

  list.watch({
    drawn: function (api) {
      picked.forEach(function (_, id) {
        const node = api.getRowNode(id);
        if (node && node.data) picked.set(id, node.data);
      });
      mark();
    },
    focus: function (patient) {
      if (opened !== null && patient !== null && patient !== opened) open(patient);
    },
  });

  // --------------------------------------------------------------------------------------------- what is new

  hw.onChanged(function (named, episodes) {
    if (!has("triage-announce")) return;
    if (opened !== null && (named === null || named.indexOf(Number(opened)) >= 0)) ask(opened);
    if (!episodes && named !== null) return;
    if (named === null) wantsAll = true; else named.forEach(function (n) { wanted.add(n); });
  });

  // asked along with the rows, or alone where these must not move
  hw.news = {
    isWanted: function () { return newsAt !== null && (wantsAll || wanted.size > 0); },
    take: function () {
      // a page that has just been opened asks only what time it is: what is in its list is not new
      if (newsAt !== null && !hw.news.isWanted()) return null;
      const named = newsAt === null ? [] : wantsAll ? null : Array.from(wanted);
      wanted = new Set();
      wantsAll = false;
      return { since: newsAt, patients: named };
    },
    lost: function (news) {
      if (news.patients === null) wantsAll = true; else news.patients.forEach(function (n) { wanted.add(n); });
    },
    heard: function (news) {
      newsAt = news.at;
      const now = Date.now();
      const items = news.items.filter(function (item) { return told.get(item.id) !== item.words; });
      items.forEach(function (item) {
        told.set(item.id, item.words);
        fresh.set(item.id, now);
      });
      if (items.length) announce(items);
    },
  };

  function announce(items) {
    showPill();
    mark();
    window.setTimeout(mark, NEW_MS + 50);
    window.setTimeout(forgetSeen, SEEN_MS);
    if (items.some(function (item) { return item.level >= 2; })) play(items[0].level);
    const rest = items.length - MOST_TOLD;
    const words = items.slice(0, MOST_TOLD).map(function (item) { return item.words; }).join(" ");
    setProps("triage-announce", { children: words + (rest > 0 ? " And " + rest + " more." : "") });
  }

  function showPill() {
    setProps("news-pill", { hidden: fresh.size === 0, children: fresh.size + " new or worse" });
  }

  function showNews() {
    const first = Array.from(fresh.keys())[0];
    fresh.clear();
    showPill();
    if (first !== undefined) list.show(first);
    mark();
  }

  function forgetSeen() {
    fresh.forEach(function (at, id) {
      const row = document.querySelector("#" + list.id + " .ag-row[row-id=\"" + id + "\"]");
      if (row && Date.now() - at >= SEEN_MS && !document.hidden) fresh.delete(id);
    });
    showPill();
  }

  // ------------------------------------------------------------------------------------------------- the sound

  function isSounding() {
    try { return window.localStorage.getItem(SOUND) === "on"; } catch (error) { return false; }
  }

  function setSounding(isOn) {
    try { window.localStorage.setItem(SOUND, isOn ? "on" : "off"); } catch (error) { /* not remembered then */ }
    showSound();
    if (isOn) {
      lastSound = 0;
      play(2);
    }
  }

  function showSound() {
    const button = document.getElementById("sound");
    if (button && button.getAttribute("aria-pressed") !== String(isSounding())) setProps("sound", { "aria-pressed": String(isSounding()) });
  }

  // browsers let nothing sound before the page was touched
  function wake() {
    if (!isSounding()) return;
    sounds = sounds || new window.AudioContext();
    if (sounds.state === "suspended") sounds.resume();
  }

  function play(level) {
    wake();
    if (!sounds || Date.now() - lastSound < SOUND_MS || !isSounding()) return;
    lastSound = Date.now();
    document.documentElement.dataset.sounded = String(level);
    (level === 3 ? [880, 660, 880] : [660, 880]).forEach(function (pitch, i) {
      const tone = sounds.createOscillator(), loud = sounds.createGain(), at = sounds.currentTime + i * 0.22;
      tone.frequency.value = pitch;
      loud.gain.setValueAtTime(0.0001, at);
      loud.gain.exponentialRampToValueAtTime(0.22, at + 0.03);
      loud.gain.exponentialRampToValueAtTime(0.0001, at + 0.2);
      tone.connect(loud).connect(sounds.destination);
      tone.start(at);
      tone.stop(at + 0.21);
    });
  }

  // -------------------------------------------------------------------------------------------- keys and clicks

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !has(list.id)) return;
    const target = event.target, help = document.getElementById("help");
    if (help && help.open) return;
    if (event.key === "Escape") {
      if (opened !== null) {
        const patient = opened;
        close();
        list.show(patient);
      } else if (picked.size) clearPicked();
      else return;
      event.preventDefault();
      return;
    }
    if (target.closest("input:not(.pick), textarea, select, [contenteditable], [role=listbox]")) return;
    const patient = opened !== null ? opened : list.focusedPatient();
    if (event.key === "j") list.move(1);
    else if (event.key === "k") list.move(-1);
    else if (event.key === "/") document.getElementById("triage-search").focus();
    else if (event.key === "?") help.showModal();
    else if (event.key === "Enter" && list.isInList() && !target.closest("button, a") && patient !== null) hw.go("/patients/" + patient);
    else if (patient === null) return;
    else if (event.key === "a") acknowledge(patient);
    else if (event.key === "x") pick(patient);
    else if (event.key === "o") open(patient, "#panel");
    else if (event.key === "s") open(patient, "#panel-snooze button");
    else if (event.key === "n") open(patient, "#panel-note");
    else if (event.key === "c") open(patient, "#panel-call a, #panel-call button");
    else return;
    event.preventDefault();
  }

  function acknowledge(patient) {
    const button = document.querySelector("#" + list.id + " .ag-row[row-id=\"" + patient + "\"] .acknowledge");
    if (button && !button.disabled) button.click();
  }

  function onClick(event) {
    if (!has(list.id)) return;
    const target = event.target, inList = target.closest("#" + list.id) !== null;
    if (inList && list.isGuarded() && target.closest("button, input")) {
      event.preventDefault();
      event.stopPropagation();
      outcome(["The list has just moved: look again before you press."], false);
      return;
    }
    const button = target.closest("[data-act], [data-bulk], [data-close], [data-open], [data-pick], #news-pill, #sound");
    if (button) {
      if (button.dataset.act) press(button);
      else if (button.dataset.bulk) pressBulk(button);
      else if (button.dataset.pick) pick(button.dataset.pick);
      else if (button.id === "news-pill") showNews();
      else if (button.id === "sound") setSounding(!isSounding());
      else if (button.dataset.open === "help") document.getElementById("help").showModal();
      else if (button.dataset.close === "help") document.getElementById("help").close();
      else if (button.dataset.close === "selection") clearPicked();
      else if (button.dataset.close === "panel") close();
      return;
    }
    const row = target.closest("#" + list.id + " .ag-row");
    if (!row || target.closest("a, button, input")) return;
    const id = row.getAttribute("row-id"), api = list.grid(), node = api && api.getRowNode(id);
    if (node && node.data) open(id);
  }

  // ------------------------------------------------------------------------------- functions of the callbacks

  Object.assign(window.dash_clientside.homeward, {
    afterAct: function (said) {
      if (!said) return "";
      window.clearTimeout(lateTimer);
      outcome(said.lines, said.done);
      if (said.done && said.patient && String(said.patient) === opened) {
        drafts.delete(opened);
        // what was written since it was sent is not yet said
        if (note() === sent) setProps("panel-note", { value: "" });
      }
      if (opened !== null) ask(opened);
      if (picked.size && !said.patient) clearPicked(reason() !== sent);
      list.refreshNow();
      return said.words;
    },
  });

  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onClick, true);
  document.addEventListener("pointerdown", wake, { passive: true });
  document.addEventListener("keydown", wake, { passive: true });
  window.setInterval(function () {
    showSound();
    // another page was opened meanwhile: the panel and the selection belong to the one that is gone
    if (!has(list.id) && (opened !== null || picked.size || newsAt !== null)) {
      opened = newsAt = null;
      picked.clear();
      fresh.clear();
    }
  }, 300);
})();
